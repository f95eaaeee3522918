"""What goes wrong in the numbers, and how it must end.

Non-finite, flat, kinked, unbounded and badly scaled objectives, and limits.
"""

import re

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.faults.chosen import chosen
from tests.helpers import X64, sampled, tol
from thalweg.problems import rosenbrock

METHODS = {"lbfgs": tw.LBFGS(), "sgd": tw.SGD(0.05), "steepest": tw.SteepestDescent(), "fista": tw.FISTA()}
EVERY = pytest.mark.parametrize("method", sampled(METHODS, ["lbfgs", "sgd"]))
VALLEY = rosenbrock().problem.objective.fun


def valley(x, scale):
    """Rosenbrock's function."""
    return scale * VALLEY(x)


def raised(x, offset):
    """The same from another level on."""
    return offset + VALLEY(x)


def bowl(x, _):
    return jnp.sum(x**2)


def nowhere(x, _):
    return jnp.sum(x) * jnp.nan


def infinite(x, _):
    return jnp.sum(x) * 0.0 + jnp.inf


def flat(x, _):
    return jnp.sum(x) * 0.0 + 3.0


def walled(x, _):
    return jnp.sum(jnp.where(x < 2.0, (x - 1.9) ** 2, jnp.nan))


def barrier(x, _):
    return jnp.sum(x - jnp.log(x))


def hole(x, _):
    return jnp.sum(jnp.where(x > 0.5, x**2, jnp.nan))


def cone(x, _):
    return jnp.sqrt(jnp.sum(x**2))


def kink(x, _):
    return jnp.sum(jnp.abs(x))


def linear(x, _):
    return -x[0] - 2.0 * x[1]


def exponential(x, _):
    return -jnp.sum(jnp.exp(x))


def cubic(x, _):
    return 3.0 * x[1] - x[1] ** 3 + x[0] ** 2


def saddle(x, _):
    return x[0] ** 2 - x[1] ** 2


def stairs(x, _):
    return jnp.sum(jnp.floor(x) + x**2)


def noisy(x, _):
    return jnp.sum(x**2) + 1e-6 * jnp.sin(1e9 * jnp.sum(x))


PLANE = (
    valley,
    raised,
    bowl,
    nowhere,
    infinite,
    flat,
    walled,
    barrier,
    hole,
    cone,
    kink,
    linear,
    exponential,
    cubic,
    saddle,
    stairs,
    noisy,
)
"""All of two variables: one program for each method."""


def solve(fun, x0, method="lbfgs", number=1.0, **options):
    """A run whose failure is looked at, not warned about."""
    x0 = np.asarray(x0, jnp.result_type(float))
    return tw.minimize(chosen(PLANE, fun, number), x0, METHODS[method], on_failure="ignore", **options)


def up_to(steps):
    """Of the default rule's structure, so no program of its own."""
    return tw.GradNorm(0.0) | tw.Steps(steps)


# Row 1 and 2: nothing finite, or nothing to follow.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_start_that_is_not_finite_is_refused_naming_the_entry(bad):
    with pytest.raises(ValueError, match=r"x0\['w'\]\[1\] is (nan|inf|-inf)"):
        tw.minimize(lambda p: jnp.sum(p["w"] ** 2), {"w": jnp.asarray([1.0, bad])})


@EVERY
def test_nan_everywhere_is_nonfinite_at_step_0(method):
    result = solve(nowhere, [1.0, 2.0], method)
    assert result.status == tw.Status.NONFINITE and not result.ok
    assert "nan at step 0" in result.message
    np.testing.assert_array_equal(result.x, [1.0, 2.0])


@EVERY
def test_infinite_everywhere_with_zero_gradient_is_never_success(method):
    result = solve(infinite, [1.0, 2.0], method)
    assert result.status == tw.Status.NONFINITE and "inf at step 0" in result.message


# Row 3: a wall with the minimum inside.


@EVERY
def test_a_nan_wall_is_backed_away_from(method):
    result = solve(walled, [-5.0, 1.0], method)
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.9, atol=tol(1e-6, 1e-3))


@pytest.mark.parametrize("method", sampled(["lbfgs", "steepest", "fista"], ["lbfgs"]))
def test_a_logarithmic_wall_is_backed_away_from(method):
    result = solve(barrier, [0.01, 30.0], method)
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=tol(1e-6, 1e-2))


# Row 4: lost on the way.


@EVERY
def test_a_loss_without_a_minimum_inside_ends_at_the_best_finite_point(method):
    result = solve(hole, [5.0, 3.0], method)
    assert result.status in (tw.Status.NONFINITE, tw.Status.SEARCH_FAILED)
    assert np.isfinite(result.value) and np.sum(np.square(result.x)) == pytest.approx(result.value, rel=1e-6)
    assert np.all(np.asarray(result.x) > 0.5)
    assert result.value < 1.1
    if result.status == tw.Status.NONFINITE:
        assert f"step {result.steps}" in result.message


# Row 5: kinks.


@EVERY
def test_a_nan_gradient_at_the_start_is_named_and_a_proximal_method_suggested(method):
    result = solve(cone, [0.0, 0.0], method)
    assert result.status == tw.Status.NONFINITE and "gradient is NaN at step 0" in result.message
    assert "nonsmooth" in result.advice[0]
    np.testing.assert_array_equal(result.x, 0.0)


@EVERY
def test_a_kink_is_not_success_and_the_best_point_is_kept(method):
    result = solve(kink, [0.3, 1.0], method)
    assert not result.ok
    assert result.best.value < 0.06


# Row 6: no minimum.


@EVERY
@pytest.mark.parametrize("fun", [linear, exponential, cubic], ids=lambda fun: fun.__name__)
def test_an_objective_without_a_minimum_has_diverged_along_a_named_ray(method, fun):
    result = solve(fun, [0.0, 1.5], method)
    assert result.status == tw.Status.DIVERGED and not result.ok
    assert np.isfinite(result.value)
    assert re.search(r"x\[1\] -> \+inf", result.advice[0])


# Row 7: saddles.


@EVERY
def test_a_saddle_line_converges_with_a_note(method):
    result = solve(saddle, [1.0, 0.0], method)
    assert result.status == tw.Status.CONVERGED and "saddle" in result.advice[0]


# Row 8: scale.


@pytest.mark.skipif(not X64, reason="beyond float32's range")
def test_a_huge_objective_is_solved():
    result = solve(valley, [-1.2, 1.0], number=1e200)
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=1e-8)


@pytest.mark.parametrize("scale", [1e-200 if X64 else 1e-36])
def test_a_tiny_objective_says_that_the_scale_is_the_reason(scale):
    result = solve(valley, [-1.2, 1.0], number=scale)
    assert result.steps == 0 and "multiply it by a constant" in result.advice[0]


@pytest.mark.skipif(not X64, reason="1e12 + f is below float32's precision everywhere")
def test_an_offset_does_not_stop_the_search_early():
    result = solve(raised, [-1.2, 1.0], number=1e12)
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=1e-5)


def test_an_offset_in_float32_ends_at_the_noise_floor():
    def shifted(x):
        return jnp.float32(1e6) + VALLEY(x)

    result = tw.minimize(shifted, jnp.asarray([-1.2, 1.0], jnp.float32), stop=tw.GradNorm(1e-12) | tw.Steps(500),
                         on_failure="ignore")  # fmt: skip
    assert result.status in (tw.Status.SEARCH_FAILED, tw.Status.CONVERGED)
    np.testing.assert_allclose(result.x, 1.0, atol=0.2)
    if result.status == tw.Status.SEARCH_FAILED:
        assert "oise" in result.advice[0]


def test_a_condition_number_of_1e14_ends_with_a_true_certificate():
    a = np.logspace(-14, 0, 5)

    def fun(x):
        return 0.5 * jnp.sum(jnp.asarray(a, x.dtype) * x**2)

    result = tw.minimize(fun, np.ones(5, jnp.result_type(float)), tw.LBFGS(), on_failure="ignore")
    assert result.status == tw.Status.CONVERGED
    assert np.max(np.abs(a * np.asarray(result.x))) <= tol(1.5e-8, 3.5e-4)


# Row 9: flat, discontinuous, noisy.


@EVERY
def test_a_flat_objective_converges_at_once(method):
    result = solve(flat, [1.0, 2.0], method)
    assert result.status == tw.Status.CONVERGED and result.steps == 0


def test_a_jump_is_not_stepped_over_blindly():
    def there(x):
        return np.sum(np.floor(x) + np.square(x))

    result = solve(stairs, [3.3, 2.2])
    assert there(result.x) == pytest.approx(result.value) and result.value <= there([3.3, 2.2])


@pytest.mark.skipif(not X64, reason="the noise is below float32's rounding")
def test_a_noisy_objective_ends_at_the_noise_floor_with_the_best_point():
    result = solve(noisy, [3.3, 2.2])
    if result.status == tw.Status.CONVERGED:  # the last bits led it into a dent of the noise: it must be one
        assert float(tw.optimality(tw.Problem(lambda x: noisy(x, 1.0)), result.x)) <= np.sqrt(np.finfo(float).eps)
    else:
        assert result.status == tw.Status.SEARCH_FAILED
        assert "noise" in result.advice[0].lower()
        assert result.value == np.min(result.trace.value)


# Row 16: limits and counters.


@EVERY
@pytest.mark.parametrize("limit", [1, 7])
def test_the_step_limit_is_exact(method, limit):
    result = (
        solve(valley, [-1.2, 1.0], method, stop=up_to(limit))
        if method != "sgd"
        else solve(bowl, [1.0, 2.0], method, stop=up_to(limit))
    )
    assert result.steps == limit and result.status == tw.Status.STEP_LIMIT and result.ok


def test_the_evaluation_limit_finishes_the_step_in_progress():
    result = solve(valley, [-1.2, 1.0], stop=tw.Evaluations(20))
    counts = np.cumsum(result.trace.evals.value)
    assert result.status == tw.Status.STEP_LIMIT
    assert counts[result.steps - 1] >= 20 > counts[result.steps - 2]


def test_the_time_limit_ends_an_endless_run():
    result = solve(bowl, [1.0, 2.0], "sgd", stop=tw.Seconds(0.3))
    assert result.status == tw.Status.TIME_LIMIT and result.ok
    assert result.seconds.compile + result.seconds.run < 5.0
