"""Demands on every method: it reaches known minima, and its status says truly how it ended."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.battery.runs import limits, run
from tests.helpers import CERTIFYING, EPS, ON_FUNCTIONS, ROWS, X64, at_once, posed, quartic, solver, zoo

START = np.zeros(3)


def claimed(name: str) -> str:
    """The one problem of the first tier: that of the method's claim, where it is among those solved."""
    row = tw.METHODS[name]
    return row.claim.on if row.claim.on in row.solves else row.solves[0]


CASES = [  # in float32 they all belong to the first tier, because only this test shows what its few digits reach
    pytest.param(name, problem, marks=[] if problem == claimed(name) or not X64 else pytest.mark.thorough)
    for name in ROWS
    for problem in tw.METHODS[name].solves
]


def stop_for(name: str) -> tw.Stop | None:
    """Where a method ends in a neighborhood no gradient tends to zero, and a sum of 1/t comes slowly to any residual.

    All others end by the default rule.
    """
    kinds = (tw.registry.Neighborhood, tw.registry.SublinearRate)
    return tw.GradNorm(EPS**0.5) | tw.Steps(2000) if isinstance(tw.METHODS[name].claim, kinds) else None


def slack(known) -> tuple[float, float]:
    """How far from the minimum a residual of sqrt(eps) can leave the value and the point."""
    curvature = 0.1 if math.isnan(known.convexity) else known.convexity
    n = len(known.x0)
    if known.problem.equality is not None or known.problem.inequality is not None:
        return 100 * math.sqrt(EPS), math.sqrt(n * EPS) / curvature  # a violation changes the value in first order
    return n * EPS / curvature, math.sqrt(n * EPS) / curvature


def value(problem: tw.Problem, x) -> float:
    """The objective at a point."""
    return float(at_once(objective, problem, jax.tree.map(np.asarray, x)))


def objective(problem: tw.Problem, x):
    """The same inside a program."""
    return problem.value(x)


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_reaches_the_known_minimum(name, problem):
    known = zoo(problem)
    result = tw.minimize(known.problem, known.x0, tw.METHODS[name].example(problem), stop=stop_for(name))
    value_slack, point_slack = slack(known)
    assert result.ok
    assert abs(result.value - known.minimum) <= 1e-6 * max(1, abs(known.minimum)) + value_slack
    assert result.value == pytest.approx(value(known.problem, result.x), rel=100 * EPS, abs=EPS)
    if known.argmin is not None:
        np.testing.assert_allclose(result.x, known.argmin, rtol=0, atol=1e-3 + point_slack)


@pytest.mark.parametrize("name", CERTIFYING)
def test_converged_is_a_residual_below_the_tolerance(name):
    result = run(name, limits(name, 3000, 1e-2))
    assert (result.status, result.ok) == (tw.Status.CONVERGED, True)
    assert isinstance(result.rule, tw.GradNorm)
    assert result.optimality <= 1e-2
    if name in ON_FUNCTIONS:
        residual = float(at_once(tw.optimality, posed(name, quartic), result.x))
        assert residual == pytest.approx(result.optimality, rel=1e3 * EPS, abs=10 * EPS)
    assert np.all(result.trace.optimality[:-1] > 1e-2) or solver(name).proxy


@pytest.mark.parametrize("name", ROWS)
def test_the_users_step_limit_is_a_success(name):
    result = run(name, limits(name, 3))
    assert (result.status, result.ok, result.steps) == (tw.Status.STEP_LIMIT, True, 3)
    assert len(result.trace.value) == 4, "x_0, x_1, x_2 and the point returned"
    assert result.value == result.trace.value[-1] < result.trace.value[0]
    assert result.value == pytest.approx(value(posed(name, quartic), result.x), rel=100 * EPS)


def test_the_librarys_step_limit_is_a_failure():
    with pytest.warns(tw.MinimizeWarning, match="STEP_LIMIT after 10000 steps"):
        result = tw.minimize(lambda x: x**2 / 2, np.asarray(1.0), tw.SGD(2.0))
    assert (result.status, result.ok, result.steps) == (tw.Status.STEP_LIMIT, False, 10_000)
    assert abs(float(result.x)) == 1.0, "at the rate 2/L a quadratic oscillates without end"
    assert "default" in " ".join(result.advice)


def lost_later(x):
    """A quartic that is NaN beyond 0.9; every method gets there from 0."""
    return jnp.where(jnp.max(x) > 0.9, jnp.nan, quartic(x))


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_nan_on_the_way_returns_the_best_finite_point(name):
    method = tw.SGD(1.0) if name == "sgd" else tw.Adam(0.3)
    result = tw.minimize(lost_later, START, method, stop=tw.Steps(500), on_failure="ignore")
    assert result.status is tw.Status.NONFINITE
    assert np.isfinite(result.value)
    assert result.value == np.nanmin(result.trace.value)
    assert float(lost_later(jnp.asarray(result.x))) == pytest.approx(result.value, rel=100 * EPS)
    assert f"at step {len(result.trace.value) - 1}" in result.message
