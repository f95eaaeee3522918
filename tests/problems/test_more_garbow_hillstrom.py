"""The 35 problems against what is published of them, and against their formulas written with loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import EPS, at_once
from thalweg.problems import MGH

CASES = {name: make() for name, make in MGH.items()}


def as_array(x):
    return np.asarray(x, jnp.result_type(float))


def views(problem, fit, x):
    """The value as a sum of squares, and as a least-squares fit."""
    return problem.value(x), fit.value(x)


def linearized(fit, x):
    """Residuals and Jacobian."""
    return fit.objective.residual(x), jax.jacfwd(fit.objective.residual)(x)


def test_there_are_thirty_five():
    assert len(MGH) == 35
    assert [make.__doc__.split()[1] for make in MGH.values()] == [str(i) for i in range(1, 36)]


@pytest.mark.parametrize("name", MGH)
def test_the_two_views_differ_by_a_factor_of_two(name):
    case = CASES[name]
    x = as_array(case.x0)
    value, half = at_once(views, case.problem, case.fit, x)
    assert float(value) == pytest.approx(2 * float(half), rel=10 * EPS)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.argmin is not None])
def test_the_minimum_is_reached_at_the_minimizer(name):
    case = CASES[name]
    x = as_array(case.argmin)
    residual, jacobian = map(np.asarray, at_once(linearized, case.fit, x))
    at_start = np.abs(at_once(linearized, case.fit, as_array(case.x0))[0]).max()
    assert np.sum(residual**2) == pytest.approx(case.minimum, rel=1e3 * EPS, abs=(1e3 * EPS * at_start) ** 2)
    slack = 1e3 * EPS * np.abs(jacobian).max() * max(np.abs(residual).max(), 1.0)
    assert np.abs(jacobian.T @ residual).max() <= slack
