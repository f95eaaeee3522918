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
    x0 = np.asarray([0.5, 2.0], jnp.bfloat16)
    result = tw.minimize(quartic, x0, METHOD, stop=tw.Steps(5), average=tw.EMA(0.999))
    assert result.average.dtype == jnp.bfloat16
    assert result.state.average.state.mean.dtype == jnp.float32


@pytest.mark.thorough
def test_models_batches_and_restarts():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(24, 3)).astype(START.dtype)
    problem = tw.Problem(lambda p, batch: jnp.mean((batch @ p["w"] - 1) ** 2), data)
    x0 = {"w": np.zeros(3, START.dtype), "steps": 3}
    result = tw.minimize(problem, x0, tw.SGD(0.1), batch_size=4, stop=tw.Epochs(20), average=tw.EMA(0.98))
    assert jax.tree.structure(result.average) == jax.tree.structure(x0)
    value = jax.jit(lambda p: problem.value(p))
    assert float(value(result.average)) < 1.2 * float(value(result.x))
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


MEANS = {
    "uniform": (tw.PolyakRuppert(), range(1, STEPS + 1)),
    "from the first": (tw.PolyakRuppert(1), range(1, STEPS + 1)),
    "late": (tw.PolyakRuppert(25), range(25, STEPS + 1)),
    "not yet": (tw.PolyakRuppert(100), [STEPS]),
    "every step": (tw.SWA(30), range(30, STEPS + 1)),
    "cycles": (tw.SWA(11, 7), [11, 18, 25, 32, 39]),
    "cycles from the start": (tw.SWA(0, 9), [9, 18, 27, 36]),
    "cycles from the first": (tw.SWA(1, 13), [1, 14, 27, 40]),
    "one cycle": (tw.SWA(3, 100), [3]),
    "before the first": (tw.SWA(90, 9), [STEPS]),
}


def mean_of(steps) -> np.ndarray:
    """Of the iterates with these numbers."""
    xs = np.asarray(iterates(tw.Problem(quartic), tw.FirstOrder(METHOD), START, STEPS), float)
    return xs[list(steps)].mean(0)


@pytest.mark.parametrize("name", MEANS)
def test_uniform_means(name):
    average, steps = MEANS[name]
    result = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=average)
    np.testing.assert_allclose(result.average, mean_of(steps), rtol=1e-12 if X64 else 1e-5)


@pytest.mark.parametrize("name", ["late", "cycles"])
def test_uniform_means_do_not_depend_on_how_the_run_is_cut(name):
    average, steps = MEANS[name]
    cut = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=average, chunk=7)
    begun = tw.minimize(quartic, START, METHOD, stop=tw.Steps(28), average=average)
    ended = tw.minimize(quartic, START, METHOD, stop=tw.Steps(STEPS), average=average, state=begun.state)
    for result in (cut, ended):
        np.testing.assert_allclose(result.average, mean_of(steps), rtol=1e-12 if X64 else 1e-5)


@pytest.mark.thorough
def test_starts_in_epochs_are_steps():
    data = np.random.default_rng(0).normal(size=(24, 3)).astype(START.dtype)
    problem = tw.Problem(lambda p, batch: jnp.mean((batch @ p - 1) ** 2), data)

    def run(average):
        return tw.minimize(problem, START, tw.SGD(0.1), batch_size=5, stop=tw.Epochs(4), average=average).average

    assert_same(run(tw.SWA(tw.Epochs(2), tw.Epochs(1))), run(tw.SWA(10, 5)))
    assert_same(run(tw.PolyakRuppert(tw.Epochs(1))), run(tw.PolyakRuppert(5)))


def test_starts_in_epochs_need_data():
    with pytest.raises(ValueError, match=r"Epochs.*needs data to know how long an epoch is"):
        tw.minimize(quartic, START, METHOD, stop=tw.Steps(3), average=tw.PolyakRuppert(tw.Epochs(1)))
    with pytest.raises(ValueError, match=r"PolyakRuppert.* has no length outside minimize: give start in whole steps"):
        tw.PolyakRuppert(tw.Epochs(1)).weight(jnp.ones(()))


@pytest.mark.parametrize("make", [tw.PolyakRuppert, tw.SWA])
@pytest.mark.parametrize(
    ("start", "error"), [(-1, ValueError), (1.5, ValueError), (None, ValueError), ("1", TypeError)]
)
def test_starts_out_of_range_are_refused(make, start, error):
    with pytest.raises(error, match=r"start must be a whole number of steps|whole steps"):
        make(start)


def test_a_cycle_has_a_step():
    with pytest.raises(
        ValueError, match=r"SWA\(every=0\): every must be a whole number of steps >= 1 or tw.Epochs\(n\)"
    ):
        tw.SWA(3, 0)


@pytest.mark.parametrize("decay", [1.0, -0.1, "0.9"])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match=r"EMA\(decay=.*must be in \[0, 1\)"):
        tw.EMA(decay)


def test_a_number_is_no_average():
    with pytest.raises(TypeError, match=r"average=0.9: give an average of the iterates, for instance tw.EMA"):
        tw.minimize(quartic, START, METHOD, average=0.9)
