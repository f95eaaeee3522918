"""Maximizing: the same runs as minimizing the negative, reported in the user's sign."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import tol


def hill(x):
    """Highest at (1, 2), where it is 3."""
    return 3.0 - (x[0] - 1.0) ** 2 - 2.0 * (x[1] - 2.0) ** 2


def valley(x):
    """The same upside down."""
    return -hill(x)


def test_a_maximum_is_found_and_every_value_is_in_the_users_sign():
    up = tw.minimize(tw.Problem(hill, maximize=True), np.zeros(2))
    down = tw.minimize(valley, np.zeros(2))
    assert up.status == tw.Status.CONVERGED and up.maximize and not down.maximize
    np.testing.assert_array_equal(up.x, down.x)
    np.testing.assert_array_equal(up.trace.value, -down.trace.value)
    np.testing.assert_allclose([up.value, up.best.value], 3.0, rtol=tol(1e-12, 1e-6))
    assert "-> 3" in repr(up)


HILL = tw.Problem(hill, maximize=True)
START = np.zeros(2)


@pytest.mark.parametrize("target", [2.0, -4.0])
def test_a_target_is_reached_from_below(target):
    result = tw.minimize(HILL, np.zeros(2), tw.SGD(0.05), stop=tw.Target(target) | tw.Steps(500))
    assert result.value >= target and result.status == tw.Status.STOPPED
    assert np.all(result.trace.value[: result.kept] < target)
    assert f"at least {target:g}" in result.message


def test_without_a_maximum_it_rises_without_end():
    result = tw.minimize(tw.Problem(lambda x: jnp.sum(x), maximize=True), np.zeros(2), on_failure="ignore")
    assert result.status == tw.Status.DIVERGED
    assert "rises" in result.message and "Unbounded above" in result.advice[0]
    assert result.value == 0, "the last point before it left"


def test_validation_keeps_the_highest():
    def score(w, batch):
        return -jnp.mean((batch - w) ** 2)

    rng = np.random.default_rng(0)
    data, held_out = rng.normal(size=(64,)) + 1.0, rng.normal(size=(32,)) + 0.5
    problem = tw.Problem(score, data, validation=held_out, maximize=True)
    result = tw.minimize(problem, np.asarray(-2.0), tw.SGD(0.05), batch_size=16, stop=tw.Epochs(30), keep="best")
    assert np.all(result.validation.value < 0)
    assert result.best.value == np.max(result.validation.value) > result.validation.value[0]
    np.testing.assert_allclose(
        -np.mean((held_out - np.asarray(result.x)) ** 2), result.best.value, rtol=tol(1e-10, 1e-5)
    )


def test_a_penalty_is_taken_from_what_is_maximized():
    problem = tw.Problem(hill, nonsmooth=tw.L1(0.5), maximize=True)
    result = tw.minimize(problem, np.zeros(2), tw.FISTA())
    x = np.array([1.0 - 0.25, 2.0 - 0.125])
    np.testing.assert_allclose(result.x, x, rtol=tol(1e-6, 1e-3))
    np.testing.assert_allclose(result.value, float(hill(x)) - 0.5 * np.abs(x).sum(), rtol=tol(1e-9, 1e-5))


def test_only_functions_are_maximized():
    with pytest.raises(TypeError, match="only a function of x can be maximized; a LeastSquares cannot"):
        tw.Problem(tw.LeastSquares(lambda x: x), maximize=True)


def test_the_optimal_step_goes_uphill():
    up = tw.landscape.optimal_step(HILL, START)
    down = tw.landscape.optimal_step(valley, START)
    assert (up.step, up.curvature) == (down.step, down.curvature)
    assert (up.value, up.predicted) == (-down.value, -down.predicted)
    assert up.predicted > up.value
    assert "raises the value" in str(up) and "lowers the value" in str(down)
    bowl = tw.landscape.optimal_step(tw.Problem(valley, maximize=True), START)
    assert bowl.predicted == np.inf
    assert "unbounded above along +g" in str(bowl)


def test_polyaks_step_takes_the_maximum():
    stop = tw.Steps(20)
    up = tw.minimize(HILL, START, tw.PolyakDescent(3.0), stop=stop)
    down = tw.minimize(valley, START, tw.PolyakDescent(-3.0), stop=stop)
    np.testing.assert_array_equal(up.x, down.x)
    np.testing.assert_allclose(up.x, [1.0, 2.0], atol=1e-2)


def test_the_walker_of_annealing_reports_in_the_users_sign():
    method = tw.SimulatedAnnealing(tw.moves.GaussianMove(0.3), 0.5, 10)
    up = tw.minimize(HILL, START, method, stop=tw.Steps(20))
    down = tw.minimize(valley, START, method, stop=tw.Steps(20))
    np.testing.assert_array_equal(up.trace.extra["walker"], -down.trace.extra["walker"])
    assert np.all(up.trace.extra["walker"] <= up.trace.value)


@pytest.mark.parametrize("method", [tw.TrustRegion(), tw.NewtonCG()], ids=["trust-region", "newton-cg"])
def test_the_curvature_met_is_that_of_the_function(method):
    result = tw.minimize(HILL, START, method)
    met = result.trace.extra["curvature"]
    assert np.all(met[np.isfinite(met)] < 0)
    assert "no positive curvature" in result.advice[0]


def test_patience_waits_for_the_highest():
    problem = tw.Problem(lambda w, batch: -jnp.mean((batch - w) ** 2), np.ones(8), validation=np.ones(4), maximize=True)
    stop = tw.Patience(2) | tw.Epochs(30)
    result = tw.minimize(problem, np.asarray(1.0), tw.SGD(0.1), batch_size=4, stop=stop)
    assert result.status == tw.Status.STOPPED
    assert "no new highest value" in result.message


def test_the_learning_rate_range_rises():
    up, down = (tw.landscape.learning_rate_range(problem, START, tw.SGD(0.1)) for problem in (HILL, tw.Problem(valley)))
    assert up.suggestion == down.suggestion
    np.testing.assert_array_equal(up.losses, -down.losses)
    np.testing.assert_array_equal(up.smoothed, -down.smoothed)
    assert "rises most steeply" in up.message and "falls most steeply" in down.message
