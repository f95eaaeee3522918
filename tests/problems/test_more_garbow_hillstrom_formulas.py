"""The 35 problems against a second transcription of the paper, with loops, and their minima against its digits."""

import functools

import jax
import numpy as np
import pytest

from tests.helpers import X64
from tests.problems.collection import FORMULAS, SIZES, gradient, residuals, standard_start
from tests.problems.one_of import CASES, grouped, residuals_of, seen_at
from thalweg.problems import MGH
from thalweg.problems.more_garbow_hillstrom import fixed_dimension as fixed
from thalweg.problems.more_garbow_hillstrom import variable_dimension as variable

NUMBERS = tuple(range(1, len(FORMULAS) + 1))
NAMES = dict(zip(NUMBERS, MGH, strict=True))
OTHER_SIZES = (
    *((20, lambda: variable.watson(2), 31), (20, lambda: variable.watson(12), 31)),
    *((21, lambda: variable.extended_rosenbrock(4), 4), (22, lambda: variable.extended_powell(4), 4)),
    *((23, lambda: variable.penalty_1(4), 5), (24, lambda: variable.penalty_2(4), 8)),
    *((24, lambda: variable.penalty_2(1), 2), (31, lambda: variable.broyden_banded(3), 3)),
    *((34, lambda: variable.linear_rank_1_zeros(3, 3), 3), (35, lambda: variable.chebyquad(3, 5), 5)),
)
"""(number, problem, residuals) beside the default sizes."""

pytestmark = pytest.mark.skipif(not X64, reason="the tolerance is that of float64")


def points(x0):
    """The start, and two points around it."""
    random, size = np.random.default_rng(1981), np.maximum(np.abs(x0), 1)
    return [x0, *(x0 + 0.1 * size * random.normal(size=x0.shape) for _ in range(2))]


def agree(number, at, x0, m):
    """Value, number of residuals and gradient by `at` and those of the formula."""
    for x in points(x0):
        f = residuals(number, x, m)
        value, grad, *_ = at(x)
        assert len(f) == m
        np.testing.assert_allclose(float(value), np.sum(f**2), rtol=1e-12)
        exact = gradient(number, x, m)
        np.testing.assert_allclose(grad, exact, rtol=1e-10, atol=1e-12 * np.abs(exact).max())


@pytest.mark.parametrize(("name", "number"), [(grouped([NAMES[number]])[0][0], number) for number in NUMBERS])
def test_the_formula_is_the_printed_one(name, number):
    case, (n, m) = CASES[NAMES[number]], SIZES[number - 1]
    np.testing.assert_allclose(case.x0, standard_start(number, n), rtol=1e-15, atol=0)
    assert residuals_of(NAMES[number]) == m
    agree(number, functools.partial(seen_at, NAMES[number]), case.x0, m)


@pytest.mark.thorough
@pytest.mark.parametrize(("number", "make", "m"), OTHER_SIZES)
def test_so_it_is_in_other_sizes(number, make, m):
    case = make()
    agree(number, jax.jit(jax.value_and_grad(case.problem.value)), case.x0, m)


PRINTED = (
    *((2, fixed.freudenstein_roth, 48.9842, 6), (6, fixed.jennrich_sampson, 124.362, 6)),
    *((8, fixed.bard, 8.21487e-3, 6), (9, fixed.gaussian, 1.12793e-8, 6), (10, fixed.meyer, 87.9458, 6)),
    *((15, fixed.kowalik_osborne, 3.07505e-4, 6), (16, fixed.brown_dennis, 85822.2, 6)),
    *((17, fixed.osborne_1, 5.46489e-5, 6), (18, fixed.biggs, 5.65565e-3, 6), (19, fixed.osborne_2, 4.01377e-2, 6)),
    *((20, variable.watson, 2.28767e-3, 6), (20, lambda: variable.watson(9), 1.39976e-6, 6)),
    *((20, lambda: variable.watson(12), 4.72238e-10, 6), (23, lambda: variable.penalty_1(4), 2.24997e-5, 6)),
    *((23, variable.penalty_1, 7.08765e-5, 6), (24, lambda: variable.penalty_2(4), 9.37629e-6, 6)),
    *((24, variable.penalty_2, 2.93660e-4, 6), (35, variable.chebyquad, 3.51687e-3, 6)),
    *((35, lambda: variable.chebyquad(10), 6.50395e-3, 6),),
)


@pytest.mark.parametrize(("number", "make", "printed", "digits"), PRINTED)
def test_the_minimum_is_the_printed_one(number, make, printed, digits):
    case = make()
    assert min(abs(low / printed - 1) for low in (case.minimum, *case.local)) < 10.0 ** (1 - digits), number
