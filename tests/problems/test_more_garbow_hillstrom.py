"""The 35 problems against what is published of them, and against their formulas written with loops."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import EPS
from tests.problems.one_of import CASES, grouped, seen_at
from thalweg.problems import MGH


def as_array(x):
    return np.asarray(x, jnp.result_type(float))


def test_there_are_thirty_five():
    assert len(MGH) == 35
    assert [make.__doc__.split()[1] for make in MGH.values()] == [str(i) for i in range(1, 36)]


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "problem"), grouped(MGH))
def test_the_two_views_differ_by_a_factor_of_two(name, problem):
    seen = seen_at(problem, as_array(CASES[problem].x0))
    assert float(seen.value) == pytest.approx(2 * float(seen.half), rel=10 * EPS)


@pytest.mark.parametrize(("name", "problem"), grouped(n for n, case in CASES.items() if case.argmin is not None))
def test_the_minimum_is_reached_at_the_minimizer(name, problem):
    case = CASES[problem]
    *_, residual, jacobian = seen_at(problem, as_array(case.argmin))
    at_start = float(np.abs(seen_at(problem, as_array(case.x0)).residual).max())
    assert np.sum(residual**2) == pytest.approx(case.minimum, rel=1e3 * EPS, abs=(1e3 * EPS * at_start) ** 2)
    slack = 1e3 * EPS * np.abs(jacobian).max() * max(np.abs(residual).max(), 1.0)
    assert np.abs(jacobian.T @ residual).max() <= slack
