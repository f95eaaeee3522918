"""The 35 problems against what is published of them, and against their formulas written with loops."""

import jax
import jax.numpy as jnp
import pytest

from tests.helpers import EPS
from thalweg.problems import MGH

CASES = {name: make() for name, make in MGH.items()}


def as_array(x):
    return jnp.asarray(x, jnp.result_type(float))


def test_there_are_thirty_five():
    assert len(MGH) == 35
    assert [make.__doc__.split()[1] for make in MGH.values()] == [str(i) for i in range(1, 36)]


@pytest.mark.parametrize("name", MGH)
def test_the_two_views_differ_by_a_factor_of_two(name):
    case = CASES[name]
    x = as_array(case.x0)
    assert float(case.problem.value(x)) == pytest.approx(2 * float(case.fit.value(x)), rel=10 * EPS)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.argmin is not None])
def test_the_minimum_is_reached_at_the_minimiser(name):
    case = CASES[name]
    x = as_array(case.argmin)
    residual = case.fit.objective.residual(x)
    at_start = float(jnp.abs(case.fit.objective.residual(as_array(case.x0))).max())
    assert float(jnp.sum(residual**2)) == pytest.approx(case.minimum, rel=1e3 * EPS, abs=(1e3 * EPS * at_start) ** 2)
    jacobian = jax.jacfwd(case.fit.objective.residual)(x)
    slack = 1e3 * EPS * float(jnp.abs(jacobian).max()) * max(float(jnp.abs(residual).max()), 1.0)
    assert float(jnp.abs(jacobian.T @ residual).max()) <= slack
