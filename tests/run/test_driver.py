"""The driver: which point a run returns, how it recovers earlier ones, and what a caller can do between chunks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import at_once, tol, zoo
from thalweg.core.trace import Layout
from thalweg.run import engine
from thalweg.run.ledger import Ledger
from thalweg.run.result import Point

A = np.array([1.0, 10.0])
X0 = np.array([3.0, -2.0])


def bowl(x):
    """An ill-conditioned quadratic."""
    return 0.5 * jnp.sum(jnp.asarray(A, x.dtype) * x**2)


def start():
    """The standard start in the dtype in use."""
    return jnp.asarray(X0, jnp.result_type(float))


def by_hand(rate, steps):
    """Gradient descent on the bowl."""
    x, out = X0.copy(), [X0.copy()]
    for _ in range(steps):
        x = x - rate * A * x
        out.append(x.copy())
    return np.array(out)


def test_the_trace_describes_every_point_and_the_last_row_describes_x():
    result = tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(20))
    path = by_hand(0.05, 20)
    np.testing.assert_allclose(result.trace.value, 0.5 * (A * path**2).sum(1), rtol=tol(1e-12, 1e-5))
    np.testing.assert_allclose(result.trace.optimality, np.abs(A * path).max(1), rtol=tol(1e-12, 1e-5))
    np.testing.assert_allclose(result.x, path[-1], rtol=tol(1e-12, 1e-5))
    assert result.steps == 20 and len(result.trace.value) == 21
    assert result.value == result.trace.value[-1]


def test_converged_returns_the_point_whose_certificate_passed():
    tolerance = tol(1e-6, 1e-3)
    result = tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.GradNorm(tolerance))
    path = by_hand(0.05, 1000)
    first = int(np.argmax(np.abs(A * path).max(1) <= tolerance))
    assert result.status == tw.Status.CONVERGED and result.steps == first
    np.testing.assert_allclose(result.x, path[first], rtol=1e-4)
    np.testing.assert_allclose(np.max(np.abs(A * np.asarray(result.x))), result.optimality, rtol=1e-6)
    assert isinstance(result.rule, tw.GradNorm)


def test_target_returns_a_point_at_or_below_the_target():
    result = tw.minimize(bowl, start(), tw.Adam(1.0), stop=tw.Target(0.5) | tw.Steps(500))
    assert result.status == tw.Status.STOPPED
    assert float(at_once(bowl, result.x)) <= 0.5


@pytest.mark.parametrize("chunk", [1, 3, 50, None])
def test_the_chunk_size_never_shows(chunk):
    reference = tw.minimize(bowl, start(), tw.Adam(0.3), stop=tw.Steps(40), chunk=7)
    result = tw.minimize(bowl, start(), tw.Adam(0.3), stop=tw.Steps(40), chunk=chunk)
    for a, b in zip(
        jax.tree.leaves((result.x, result.trace)), jax.tree.leaves((reference.x, reference.trace)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("chunk", [1, 4, None])
def test_the_best_point_is_found_again_by_replay(chunk):
    result = tw.minimize(bowl, start(), tw.Adam(1.0), stop=tw.Steps(60), chunk=chunk)
    lowest = int(np.argmin(result.trace.value))
    assert 0 < lowest < 60, "the run must overshoot for this test to mean anything"
    assert result.best.step == lowest
    assert result.best.value == result.trace.value[lowest]
    np.testing.assert_allclose(float(at_once(bowl, result.best.x)), result.best.value, rtol=tol(1e-14, 1e-6))


def test_keep_best_returns_the_lowest_value():
    result = tw.minimize(bowl, start(), tw.Adam(1.0), stop=tw.Steps(60), keep="best", chunk=5)
    assert result.value == result.trace.value.min() < result.trace.value[-1]
    np.testing.assert_allclose(float(at_once(bowl, result.x)), result.value, rtol=tol(1e-14, 1e-6))


SLOW_TO_COMPILE = [pytest.param(method, marks=pytest.mark.thorough) for method in (tw.LBFGS(), tw.FISTA())]


@pytest.mark.parametrize("method", [tw.Adam(0.3), tw.SGD(1e-3), *SLOW_TO_COMPILE])
@pytest.mark.parametrize("at", [1, 4])
def test_a_continued_run_equals_an_undisturbed_one_bit_for_bit(method, at):
    problem, x0 = zoo("rosenbrock").problem, np.asarray(zoo("rosenbrock").x0, jnp.result_type(float))
    whole = tw.minimize(problem, x0, method, stop=tw.Steps(9))
    half = tw.minimize(problem, x0, method, stop=tw.Steps(at))
    rest = tw.minimize(problem, x0, method, stop=tw.Steps(9), state=half.state)
    np.testing.assert_array_equal(whole.x, rest.x)
    np.testing.assert_array_equal(whole.trace.value[at:], rest.trace.value)
    assert rest.steps == 9


def test_a_loss_that_turns_nan_ends_at_the_best_finite_point():
    def broken(x):
        return jnp.where(jnp.sum(x**2) < 4.0, jnp.nan, bowl(x))

    result = tw.minimize(broken, start(), tw.SGD(0.05), stop=tw.Steps(100), on_failure="ignore", chunk=4)
    lost = int(np.flatnonzero(~np.isfinite(result.trace.value))[0])
    assert result.status == tw.Status.NONFINITE and not result.ok
    assert result.steps == lost and f"step {lost}" in result.message
    assert result.value == np.nanmin(result.trace.value)
    np.testing.assert_allclose(float(at_once(broken, result.x)), result.value, rtol=tol(1e-14, 1e-6))


def test_the_last_point_is_tested_too():
    """The point after the last step is the first that is not finite: the run must not return it."""

    def cliff(x):
        return jnp.where(x < 0.5, jnp.nan, 0.5 * x**2)

    last = next(t for t in range(100) if 0.9**t < 0.5)
    result = tw.minimize(cliff, jnp.asarray(1.0), tw.SGD(0.1), stop=tw.Steps(last), on_failure="ignore")
    assert result.status == tw.Status.NONFINITE
    assert float(result.x) >= 0.5


def test_failures_warn_raise_or_are_ignored():
    def lost(x):
        return jnp.sum(x) * jnp.nan

    with pytest.warns(tw.MinimizeWarning, match="NONFINITE"):
        tw.minimize(lost, start())
    with pytest.raises(tw.MinimizeError, match="NONFINITE") as caught:
        tw.minimize(lost, start(), on_failure="raise")
    assert caught.value.result.status == tw.Status.NONFINITE


def test_the_users_step_limit_is_success_and_the_librarys_is_not():
    slow = tw.SGD(1e-9)
    assert tw.minimize(bowl, start(), slow, stop=tw.Steps(50)).ok
    with pytest.warns(tw.MinimizeWarning):
        assert not tw.minimize(bowl, start(), slow).ok


def test_frozen_leaves_stay_and_come_back():
    x0 = {"w": start(), "n": 3, "name": "net", "act": jnp.tanh, "table": jnp.arange(3), "none": None}

    def loss(p):
        return jnp.sum(p["act"](p["w"]) ** 2) * p["n"] + 0.0 * p["table"][0].astype(p["w"].dtype)

    result = tw.minimize(loss, x0, tw.SGD(0.05))
    assert result.x["n"] == 3 and result.x["act"] is jnp.tanh and result.x["none"] is None
    np.testing.assert_array_equal(result.x["table"], [0, 1, 2])
    np.testing.assert_allclose(result.x["w"], 0, atol=1e-3)


def test_random_losses_use_a_fresh_key_each_step_and_repeat_by_seed():
    def noisy(x, key):
        return bowl(x) + jnp.sum(x * jax.random.normal(key, x.shape, x.dtype))

    runs = [tw.minimize(noisy, start(), tw.SGD(0.01), stop=tw.Steps(30), seed=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    assert not np.array_equal(runs[0].x, runs[2].x)
    quiet = by_hand(0.01, 30)
    assert len(np.unique(np.diff(runs[0].trace.value) - np.diff(0.5 * (A * quiet**2).sum(1)))) == 30


def test_model_state_passes_through_the_loop():
    def counting(x, count):
        return bowl(x), count + 1.0

    problem = tw.Problem(counting, stateful=True)
    result = tw.minimize(problem, start(), tw.SGD(0.05), stop=tw.Steps(12), model_state=jnp.asarray(0.0))
    assert float(result.model_state) == 12.0


def test_auxiliary_output_is_traced():
    problem = tw.Problem(lambda x: (bowl(x), {"sum": jnp.sum(x)}), has_aux=True)
    result = tw.minimize(problem, start(), tw.SGD(0.05), stop=tw.Steps(5))
    np.testing.assert_allclose(result.trace.aux["sum"], by_hand(0.05, 5).sum(1), rtol=tol(1e-12, 1e-5))


@pytest.mark.thorough
def test_restarts_return_the_best_of_all_lanes():
    def wells(x):
        return jnp.sum((x**2 - 1.0) ** 2 + 0.3 * x)

    result = tw.minimize(wells, np.ones(1), tw.SteepestDescent(), restarts=8, spread=2.0)
    alone = tw.minimize(wells, np.ones(1), tw.SteepestDescent())
    assert result.ok and len(result.restarts.values) == 8
    assert result.value == pytest.approx(np.nanmin(result.restarts.values), rel=1e-6)
    assert result.restarts.values[0] == pytest.approx(alone.value, rel=1e-6), "the first lane starts at x0"
    assert result.value < alone.value - 0.1
    assert float(at_once(wells, result.x)) == pytest.approx(result.value, rel=1e-5)


def test_data_are_passed_whole_and_examples_are_counted():
    known = zoo("least-squares")
    result = tw.minimize(known.problem, jnp.asarray(known.x0, jnp.result_type(float)), tw.SGD(0.4), stop=tw.Epochs(7))
    assert result.steps == 7 and result.epochs == 7.0
    assert result.evals.examples == 8 * 60, "seven steps and a look at the last point"


def test_a_schedule_without_length_lasts_as_long_as_the_run():
    schedule = tw.schedules.WarmupCosine(0.1, warmup=5)
    result = tw.minimize(bowl, start(), tw.SGD(schedule), stop=tw.Steps(40))
    rates = result.trace.step_size
    assert rates[4] == pytest.approx(0.1) and rates[0] == pytest.approx(0.02)
    assert rates[39] < 1e-3 and rates[40] == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(ValueError, match="needs a stop rule with a length"):
        tw.minimize(bowl, start(), tw.SGD(schedule), stop=tw.GradNorm(1e-3))


def test_a_run_can_continue_under_another_stop_rule():
    half = tw.minimize(bowl, start(), tw.Adam(0.3), stop=tw.Steps(5))
    rest = tw.minimize(bowl, start(), tw.Adam(0.3), stop=tw.GradNorm(1e-9) | tw.Steps(12), state=half.state)
    whole = tw.minimize(bowl, start(), tw.Adam(0.3), stop=tw.Steps(12))
    np.testing.assert_array_equal(rest.x, whole.x)
    assert rest.first_step == 5


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (lambda: tw.minimize(bowl, start(), tw.SGD(0.01), stop=tw.Steps(2)).state, ValueError),
        (lambda: tw.minimize(lambda x: jnp.sum(x**2), jnp.ones(3), tw.Adam(0.3), stop=tw.Steps(2)).state, ValueError),
        (lambda: 3, TypeError),
    ],
    ids=["another method", "another shape", "no state"],
)
def test_a_state_of_another_run_is_refused(state, error):
    with pytest.raises(error, match="state="):
        tw.minimize(bowl, start(), tw.Adam(0.3), stop=tw.Steps(4), state=state())


def lowest_step(values, violations=0.0):
    """The step of the lowest point of a run with these rows."""
    ledger, rows = Ledger(), np.stack(np.broadcast_arrays(np.asarray(values), violations), axis=1)
    layout = Layout(jax.tree.structure(tw.make_info(0.0)), (None, 0.0, None, *[0.0] * 7))
    ledger.add(rows, layout, Point(None, 0.0, 0))
    return None if ledger.lowest is None else ledger.lowest.step


def test_of_equally_low_points_the_last_is_the_best():
    value = np.array([3.0, 1.0, 1.0, np.nan, 2.0])
    assert lowest_step(value) == 2
    assert lowest_step(value, np.array([0.0, 0.0, 1.0, 0.0, 0.0])) == 1
    assert lowest_step(value, np.array([0.0, 1.0, 1e-9, 0.0, 0.0])) == 2
    assert lowest_step(np.array([np.nan])) is None
    assert lowest_step(np.array([])) is None


@pytest.mark.parametrize("dispatch", [None, "single"])
def test_the_time_to_trace_is_no_time_of_running(monkeypatch, dispatch):
    """A clock that only the tracing of the loss moves on: every pass over it takes a minute."""
    now = [0.0]
    monkeypatch.setattr(engine.time, "perf_counter", lambda: now[0])

    def slow_to_trace(x):
        now[0] += 60.0
        return jnp.sum((x - 1) ** 2)

    result = tw.minimize(slow_to_trace, np.zeros(2), tw.SGD(0.1), stop=tw.Steps(20), dispatch=dispatch)
    assert result.seconds.compile >= 60.0
    assert result.seconds.run == 0.0
