"""Averages of the iterates: beside the run, never part of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import EPS, X64, assert_close, assert_same, compilations, iterates, quartic

START = np.asarray([0.5, -1.0, 3.0], float if X64 else np.float32)
METHOD = tw.SGD(0.01)
STEPS = 40


def naive(decay: float, steps: int = STEPS) -> np.ndarray:
    """The sum with its weights, over x_1, ..., x_T."""
    xs = np.asarray(iterates(tw.Problem(quartic), tw.FirstOrder(METHOD), START, steps), float)[1:]
    weights = decay ** np.arange(steps - 1, -1, -1.0)
    return (weights[:, None] * xs).sum(0) / weights.sum()


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_an_ema_is_its_weighted_sum(decay):
    result = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=tw.EMA(decay))
    np.testing.assert_allclose(result.average, naive(decay), rtol=100 * EPS, atol=100 * EPS)


def test_the_run_is_the_same_with_and_without():
    alone = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS))
    watched = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=tw.EMA(0.9))
    assert alone.average is None
    assert_close(watched.x, alone.x, 10 * EPS)
    np.testing.assert_allclose(watched.trace.value, alone.trace.value, rtol=10 * EPS)


@pytest.mark.parametrize("options", [{"chunk": 7}, {"dispatch": "single"}], ids=str)
def test_it_does_not_depend_on_how_the_run_is_cut(options):
    whole = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=tw.EMA(0.9)).average
    assert_close(
        tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=tw.EMA(0.9), **options).average,
        whole,
        10 * EPS,
    )


def test_a_run_that_goes_on_goes_on_averaging():
    begun = tw.minimize(quartic, START, METHOD, stop=tw.Steps(15), average=tw.EMA(0.9))
    ended = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=tw.EMA(0.9), state=begun.state)
    assert_close(ended.average, naive(0.9), 100 * EPS)
    late = tw.minimize(quartic, START, METHOD, stop=tw.Steps(15))
    fresh = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=tw.EMA(0.0), state=late.state)
    assert_close(fresh.average, fresh.x, 10 * EPS)
    without = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), state=begun.state)
    assert without.average is None
    assert_same(without.x, ended.x)


def test_another_decay_is_the_same_program():
    tw.minimize(quartic, START, METHOD, stop=tw.Steps(3), average=tw.EMA(0.9))
    with compilations() as names:
        again = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=tw.EMA(0.5))
    assert names == []
    np.testing.assert_allclose(again.average, naive(0.5), rtol=100 * EPS)


def test_low_precision_is_averaged_in_float32_and_returned_as_it_came():
    x0 = jnp.asarray([0.5, 2.0], jnp.bfloat16)
    result = tw.minimize(quartic, x0, METHOD, stop=tw.Steps(5), average=tw.EMA(0.999))
    assert result.average.dtype == jnp.bfloat16
    assert result.state.average.state.mean.dtype == jnp.float32


def test_models_batches_and_restarts():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(24, 3)).astype(START.dtype)
    problem = tw.Problem(lambda p, batch: jnp.mean((batch @ p["w"] - 1) ** 2), data)
    x0 = {"w": np.zeros(3, START.dtype), "steps": 3}
    result = tw.minimize(problem, x0, tw.SGD(0.1), batch_size=4, stop=tw.Epochs(20), average=tw.EMA(0.98))
    assert jax.tree.structure(result.average) == jax.tree.structure(x0)
    assert float(problem.value(result.average)) < 1.2 * float(problem.value(result.x))
    lanes = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), restarts=2, average=tw.EMA(0.0))
    assert_close(lanes.average, lanes.x, 10 * EPS)


def test_a_run_of_no_steps_has_no_average():
    """One that goes on from where its stop rule is met already."""
    begun = tw.minimize(quartic, np.ones(2), METHOD, stop=tw.Steps(1))
    again = tw.minimize(quartic, np.ones(2), METHOD, stop=tw.Steps(1), average=tw.EMA(0.9), state=begun.state)
    assert (again.steps, again.average) == (1, None)


def test_the_pure_loop_averages_too():
    problem, solver, stop = tw.Problem(quartic), tw.FirstOrder(METHOD), tw.Never()
    carry = tw.start(problem, solver, START, stop, average=tw.EMA(0.9))
    carry, _ = jax.jit(lambda carry: tw.iterate(problem, solver, carry, stop, jax.random.key(0), capacity=STEPS))(carry)
    np.testing.assert_allclose(carry.average.read(carry.state.x), naive(0.9), rtol=100 * EPS)


@pytest.mark.parametrize("decay", [1.0, -0.1, "0.9"])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match=r"EMA\(decay=.*must be in \[0, 1\)"):
        tw.EMA(decay)


def test_a_number_is_no_average():
    with pytest.raises(TypeError, match=r"average=0.9: give an average of the iterates, for instance tw.EMA"):
        tw.minimize(quartic, START, METHOD, average=0.9)
