"""The wrappers that read the loss: reductions on a plateau beside Optax, spikes, growth, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, X64, at_once, compilations, sampled

ZERO = np.zeros(())


def scales(rule, losses) -> np.ndarray:
    """The scale after each loss, and the one in the rate before it."""
    after, used = map(np.asarray, at_once(scales_and_rates, rule, np.asarray(losses, float)))
    assert np.array_equal(used[1:], after[:-1]), "a new scale holds from the next update on"
    return after


def scales_and_rates(rule, losses):
    """See `scales`."""

    def one(state, value):
        _, after = rule.update(jnp.zeros(()), state, None, value=value)
        return after, (after.scale, rule.rate(state))

    return jax.lax.scan(one, rule.init(jnp.zeros(())), losses)[1]


def optax_scales(transformation, losses) -> np.ndarray:
    """Optax's."""
    with jax.numpy_dtype_promotion("standard"):
        return np.asarray(at_once(scales_alone, transformation, np.asarray(losses, float)))


def scales_alone(transformation, losses):
    """See `optax_scales`."""

    def one(state, value):
        _, state = transformation.update(jnp.zeros(()), state, None, value=value)
        return state, state.scale

    return jax.lax.scan(one, transformation.init(jnp.zeros(())), losses)[1]


@pytest.mark.parametrize(
    "numbers", sampled([(1, 1, 0, 0.0), (3, 1, 2, 0.1), (2, 4, 1, 0.0), (1, 7, 0, 0.3)], [(2, 4, 1, 0.0)])
)
def test_the_scale_is_that_of_optax(numbers):
    patience, every, cooldown, lowest = numbers
    rng = np.random.default_rng(patience)
    losses = np.abs(np.exp(-np.arange(300) / 60) + 0.1 * rng.normal(size=300)) + 0.05
    ours = scales(tw.ReduceOnPlateau(tw.SGD(1.0), 0.5, patience, 1e-2, every, cooldown, lowest), losses)
    theirs = optax.contrib.reduce_on_plateau(0.5, patience, 1e-2, 0.0, cooldown, every, lowest)
    np.testing.assert_allclose(ours, optax_scales(theirs, losses), rtol=4 * EPS)
    assert len(set(ours)) > 2


def test_a_negative_loss_that_falls_is_no_plateau():
    """A fraction of the best loss below it: in Optax a factor, by which a worse negative loss is better."""
    falling, rising = -1.0 - 0.1 * np.arange(20), -2.0 + 0.001 * np.arange(20)
    rule = tw.ReduceOnPlateau(tw.SGD(1.0), 0.5, 3, relative=1e-2)
    assert np.all(scales(rule, falling) == 1)
    assert scales(rule, rising)[-1] == 0.5**6
    stays = optax.contrib.reduce_on_plateau(0.5, 3, 1e-2)
    assert optax_scales(stays, rising)[-1] == 1


@given(st.lists(st.floats(-100, 100, width=32), min_size=5, max_size=40))
def test_a_reduced_scale_never_rises(losses):
    losses = np.resize(losses, 40)
    got = np.concatenate([[1.0], plateau(losses)])
    assert np.all(np.diff(got) <= 0) and np.all(got >= 0.01 * (1 - EPS)) and len(set(got)) - 1 <= 40 // 2


@jax.jit
def plateau_scan(losses):
    rule = tw.ReduceOnPlateau(tw.SGD(1.0), 0.3, 2, min_scale=0.01)
    step = lambda state, value: (state := rule.after_loss(state, value), state.scale)  # noqa: E731
    return jax.lax.scan(step, rule.init(jnp.zeros(())), losses)[1]


def plateau(losses) -> np.ndarray:
    """Scales on a plateau."""
    return np.asarray(plateau_scan(np.asarray(losses, float)))


@jax.jit
def reactive_scan(losses):
    rule = tw.Reactive(tw.SGD(1.0), every=2, cooldown=0, min_scale=0.1, max_scale=100)
    step = lambda state, value: (state := rule.after_loss(state, value), state.scale)  # noqa: E731
    return jax.lax.scan(step, rule.init(jnp.zeros(())), losses)[1]


@given(st.lists(st.floats(-100, 100, width=32) | st.just(np.nan), min_size=5, max_size=60))
def test_a_reactive_scale_grows_and_then_shrinks(losses):
    got = np.concatenate([[1.0], np.asarray(reactive_scan(np.resize(np.asarray(losses, float), 60)))])
    top = int(np.argmax(got))
    assert np.all(np.diff(got[: top + 1]) >= 0) and np.all(np.diff(got[top:]) <= 0)
    assert np.all((got >= 0.1 * (1 - EPS)) & (got <= 100))
    assert len(set(got)) - 1 <= 2 + 10


def test_what_a_spike_is():
    """Twice the average of the last stretch; then twice the loss that spiked."""
    rule = tw.Reactive(tw.SGD(1.0), every=4, barely=0.0)
    losses = [1.0] * 4 + [1.9, 2.1, 4.1, 4.3, 8.1, 16.4] + [9.0, 8.0, 8.0, 8.0, 7.0]
    got = scales(rule, losses)
    np.testing.assert_array_equal(got, [1] * 5 + [0.5, 0.5, 0.25, 0.25, 0.125] + [0.125] * 5)
    assert np.all(scales(rule, [-1.0] * 4 + [-0.1] + [0.1] * 3) == [1] * 5 + [0.5] * 3), "by the size of the average"


def test_what_barely_moves():
    rule = tw.Reactive(tw.SGD(1.0), every=2, barely=0.1, cooldown=1)
    losses = [1, 1, 0.95, 0.95, 0.93, 0.93, 0.92, 0.92, 0.5, 0.5, 0.3, 0.3, 2.0, 2.0, 2.0, 2.0, 2.0]
    expected = [1, 1, 1, 10, 10, 10, 10, 100, 100, 100, 100, 100, 50, 50, 50, 50, 50]
    np.testing.assert_allclose(scales(rule, losses), expected)
    assert np.all(scales(tw.Reactive(tw.SGD(1.0), every=2, max_scale=1), losses) <= 1)


@pytest.mark.thorough
@pytest.mark.parametrize("rate", [1e-4, 0.5, 5.0])
def test_it_repairs_a_rate_that_is_wrong(rate):
    """Curvatures 1 to 10: a constant rate must be below 0.2, and crawls far below it."""
    run = {"x0": np.ones(2), "stop": tw.Steps(2000), "on_failure": "ignore"}
    plain = tw.minimize(ill, method=tw.SGD(rate), **run)
    repaired = tw.minimize(ill, method=tw.Reactive(tw.SGD(rate)), **run)
    assert not plain.value < 0.1
    assert repaired.value < 1e-6
    assert 1e-3 < repaired.trace.step_size[-1] < 0.2


def ill(x):
    """Curvatures 1 and 10."""
    return jnp.sum(jnp.asarray([1.0, 10.0]) * x**2) / 2


def test_a_warm_up_below_and_an_epoch_between_looks():
    data = np.arange(6.0)
    rule = tw.ReduceOnPlateau(tw.SGD(tw.schedules.Warmup(0.1, tw.Epochs(1))), 0.5, 1, every=tw.Epochs(1))
    problem = tw.Problem(lambda x, batch: 1 + 0 * x + jnp.mean(batch), data)
    result = tw.minimize(problem, ZERO, rule, batch_size=2, stop=tw.Steps(9))
    # The loss of an epoch is the same every time, up to rounding: the second look is the first without improvement.
    np.testing.assert_allclose(
        result.trace.step_size[:9], np.asarray([1, 2, 3, 3, 3, 3, 1.5, 1.5, 1.5]) / 30, rtol=1e-5
    )
    with pytest.raises(ValueError, match="needs data to know how long an epoch is"):
        tw.minimize(lambda x: x**2, ZERO, rule, stop=tw.Steps(9))
    with pytest.raises(ValueError, match="has no length outside minimize: give every in whole steps"):
        at_once(scales_and_rates, tw.ReduceOnPlateau(SGD, every=tw.Epochs(1)), np.ones(1))


def test_other_numbers_do_not_recompile():
    loss = lambda x: x**2  # noqa: E731
    tw.minimize(loss, ZERO, tw.ReduceOnPlateau(tw.SGD(0.1)), stop=tw.Steps(5))
    with compilations() as names:
        tw.minimize(loss, ZERO, tw.ReduceOnPlateau(tw.SGD(0.2), 0.3, every=7), stop=tw.Steps(6))
    assert names == []


@pytest.mark.parametrize("kind", [tw.ReduceOnPlateau, tw.Reactive])
def test_the_loss_is_needed(kind):
    rule, x = kind(tw.SGD(0.1)), np.zeros(2)
    with pytest.raises(ValueError, match=rf"{kind.__name__}.update\(value=None\): this rule needs value; call update"):
        rule.update(x, rule.init(x), x)
    assert jax.tree.leaves(rule.init(x))[1].dtype == (jnp.float64 if X64 else jnp.float32)


SGD = tw.SGD(0.1)
BAD = {
    "rule": (lambda: tw.ReduceOnPlateau(0.1), "rule must be a rule"),
    "factor": (lambda: tw.ReduceOnPlateau(SGD, 1.0), r"ReduceOnPlateau\(factor=1.0\): factor must be in \(0, 1\)"),
    "patience": (lambda: tw.ReduceOnPlateau(SGD, patience=0), "patience must be a whole number >= 1"),
    "relative": (lambda: tw.ReduceOnPlateau(SGD, relative=-1), "relative must be in"),
    "every": (lambda: tw.ReduceOnPlateau(SGD, every=0), r"ReduceOnPlateau\(every=0\): every must be a whole number"),
    "cooldown": (lambda: tw.ReduceOnPlateau(SGD, cooldown=-1), "cooldown must be a whole number >= 0"),
    "min_scale": (lambda: tw.ReduceOnPlateau(SGD, min_scale=1), "min_scale must be in"),
    "shrink": (lambda: tw.Reactive(SGD, 0.0), r"Reactive\(shrink=0.0\): shrink must be in \(0, 1\)"),
    "grow": (lambda: tw.Reactive(SGD, grow=0.5), "grow must be a finite number >= 1"),
    "spike": (lambda: tw.Reactive(SGD, spike=1), "spike must be a finite number > 1"),
    "barely": (lambda: tw.Reactive(SGD, barely=1), "barely must be in"),
    "stretch": (lambda: tw.Reactive(SGD, every=None), r"Reactive\(every=None\): every must be"),
    "pause": (lambda: tw.Reactive(SGD, cooldown=1.5), "cooldown must be a whole number >= 0"),
    "low": (lambda: tw.Reactive(SGD, min_scale=0), "min_scale must be in"),
    "high": (lambda: tw.Reactive(SGD, max_scale=0.5), "max_scale must be a finite number >= 1"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
