"""Rows 1 to 9 for trust regions: they back away from walls, leave saddles, and say when there is no minimum."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.faults.chosen import chosen
from tests.faults.test_numbers import (
    barrier,
    cone,
    cubic,
    exponential,
    flat,
    hole,
    infinite,
    kink,
    linear,
    noisy,
    raised,
    saddle,
    valley,
)
from tests.helpers import X64, sampled, tol


def beyond(x, wall):
    """The curvature at the start is so small that the first steps are as long as the radius, far beyond the wall."""
    return jnp.sum(jnp.where(x < 1.5, jnp.sqrt(1 + (x - 1.0) ** 2), wall))


def monkey(x, _):
    return x[0] ** 3 - 3 * x[0] * x[1] ** 2


def pass_between(x, _):
    """No gradient points off the line y = 0; the minima lie at y = +-sqrt(2)."""
    return x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4


PLANE = (
    barrier,
    beyond,
    cone,
    cubic,
    exponential,
    flat,
    hole,
    infinite,
    kink,
    linear,
    monkey,
    noisy,
    pass_between,
    raised,
    saddle,
    valley,
)
"""All of two variables: one program."""


def solve(fun, x0, number=1.0, **options):
    """A run whose failure is looked at, not warned about."""
    x0 = np.asarray(x0, jnp.result_type(float))
    return tw.minimize(chosen(PLANE, fun, number), x0, tw.TrustRegion(), on_failure="ignore", **options)


def gradient_or_steps(tolerance, steps=10_000):
    """Of the default rule's structure, so no program of its own."""
    return tw.GradNorm(tolerance) | tw.Steps(steps)


def test_infinite_everywhere_with_zero_gradient_is_never_success():
    assert solve(infinite, [1.0, 2.0]).status == tw.Status.NONFINITE


@pytest.mark.parametrize("wall", [np.nan, np.inf])
def test_a_wall_is_backed_away_from(wall):
    result = solve(beyond, [-5.0, 0.5], wall)
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=tol(1e-6, 1e-3))
    assert np.min(result.trace.step_size) < 2


def test_a_logarithmic_wall_is_backed_away_from():
    result = solve(barrier, [0.01, 30.0])
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=tol(1e-6, 1e-2))


def test_a_minimum_on_the_edge_of_a_hole_is_the_end_of_the_search():
    result = solve(hole, [5.0, 3.0])
    assert result.status == tw.Status.SEARCH_FAILED
    assert np.all(np.asarray(result.x) >= 0.5)
    assert np.min(result.x) == pytest.approx(0.5, abs=1e-5)


def test_a_nan_gradient_at_the_start_is_named():
    result = solve(cone, [0.0, 0.0])
    assert result.status == tw.Status.NONFINITE and "gradient is NaN at step 0" in result.message


def test_a_kink_is_not_success_and_the_best_point_is_kept():
    result = solve(kink, [0.3, 1.0], stop=gradient_or_steps(1e-6, 300))
    assert result.status in (tw.Status.SEARCH_FAILED, tw.Status.STEP_LIMIT)
    assert result.best.value < 1e-6


@pytest.mark.parametrize(
    ("fun", "x0", "ray"),
    [
        (linear, [0.0, 1.5], r"x\[1\] -> \+inf"),
        (exponential, [0.0, 1.5], r"x\[1\] -> \+inf"),
        (cubic, [0.0, 1.5], r"x\[1\] -> \+inf"),
        (saddle, [1.0, 0.0], r"x\[1\] -> [+-]inf"),
        (monkey, [1.0, 0.0], r"x\[1\] -> [+-]inf"),
    ],
    ids=["linear", "exponential", "cubic", "saddle", "monkey saddle"],
)
def test_an_objective_without_a_minimum_has_diverged_along_a_named_ray(fun, x0, ray):
    result = solve(fun, x0)
    assert result.status == tw.Status.DIVERGED and not result.ok
    assert np.isfinite(result.value)
    assert re.search(ray, result.advice[0])


@pytest.mark.parametrize("x0", [[1.0, 0.0], [0.0, 0.0], [1e-5, 0.0]], ids=["on the line", "exactly", "nearby"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_saddle_is_left(x0, seed):
    result = solve(pass_between, x0, seed=seed)
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(np.abs(result.x), [0.0, np.sqrt(2)], atol=tol(1e-6, 1e-3))
    assert "no negative curvature" in result.advice[0]


def test_a_run_that_ends_before_it_searched_does_not_say_that_it_did():
    result = solve(valley, [-1.2, 1.0], stop=gradient_or_steps(100.0))
    assert "saddle is possible" in result.advice[0] or "already passes" in result.advice[0]


@pytest.mark.skipif(not X64, reason="beyond float32's range")
@pytest.mark.parametrize("scale", [1e200, 1e-6])
def test_a_scaled_objective_is_solved(scale):
    result = solve(valley, [-1.2, 1.0], scale, stop=gradient_or_steps(1e-9 * min(scale, 1), 200))
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)


@pytest.mark.parametrize("offset", [1e12 if X64 else 1e3])
def test_an_offset_does_not_stop_the_search_early(offset):
    result = solve(raised, [-1.2, 1.0], offset)
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=tol(1e-5, 1e-2))


def test_a_condition_number_of_1e14_ends_with_a_true_certificate():
    a = np.logspace(-14, 0, 5)

    def long(x):
        return 0.5 * jnp.sum(jnp.asarray(a, x.dtype) * x**2)

    result = tw.minimize(long, np.ones(5, jnp.result_type(float)), tw.TrustRegion(), on_failure="ignore")
    assert result.status == tw.Status.CONVERGED
    assert np.max(np.abs(a * np.asarray(result.x))) <= tol(1.5e-8, 3.5e-4)


def test_a_flat_objective_converges_at_once():
    result = solve(flat, [1.0, 2.0])
    assert result.status == tw.Status.CONVERGED and result.steps == 0


def test_noise_in_the_objective_ends_the_search_at_the_lowest_point():
    result = solve(noisy, [3.3, 2.2])
    assert result.status == tw.Status.SEARCH_FAILED
    assert result.value == pytest.approx(np.min(result.trace.value), rel=tol(1e-14, 1e-5))


def test_a_tiny_objective_says_that_the_scale_is_the_reason():
    result = solve(valley, [-1.2, 1.0], 1e-200 if X64 else 1e-36)
    assert result.steps == 0 and "multiply it by a constant" in result.advice[0]


SECOND_ORDER = {"newton": tw.Newton(), "newton-cg": tw.NewtonCG(), "trust": tw.TrustRegion()}


@pytest.mark.parametrize("method", sampled(SECOND_ORDER, ["newton"]))
def test_a_loss_without_second_derivatives_is_not_success(method):
    def hinge(x):
        return jnp.sum(jnp.maximum(0.0, 1.0 - x) + 0.1 * x)

    x0 = np.asarray([-0.7, 0.2], jnp.result_type(float))
    result = tw.minimize(hinge, x0, SECOND_ORDER[method], stop=tw.GradNorm(1e-6) | tw.Steps(300), on_failure="ignore")
    assert result.status in (tw.Status.SEARCH_FAILED, tw.Status.STEP_LIMIT)
    assert result.best.value < 0.3
    assert "kink" in result.advice[0]
