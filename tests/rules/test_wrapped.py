"""Algorithms around a rule: Lookahead, cautious updates, MARS."""

import jax
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import X64, assert_close, assert_same, at_once, half_square, iterates, quartic, sampled
from tests.rules.updates import along

FLOAT = float if X64 else np.float32
CLOSE = 1e-12 if X64 else 5e-6
START = np.asarray([0.5, -1.0, 3.0], FLOAT)


def path(rule: tw.Rule, loss=quartic, x0=START, steps: int = 12):
    """`x_0, ..., x_steps`."""
    return np.asarray(iterates(tw.Problem(loss), tw.FirstOrder(rule), x0, steps))


def test_lookahead_takes_the_fast_steps_of_optax_s():
    ours = tw.Lookahead(tw.Adam(0.1), 4, 0.7)
    theirs = optax.lookahead(optax.adam(0.1), 4, 0.7)

    def one(carry, _):
        x, state = carry
        update, state = theirs.update(jax.grad(quartic)(x.fast), state, x)
        return (optax.apply_updates(x, update), state), x.fast

    with jax.numpy_dtype_promotion("standard"):
        x0 = optax.LookaheadParams.init_synced(START)
        _, expected = jax.jit(lambda x: jax.lax.scan(one, (x, theirs.init(x)), length=13))(x0)
    assert_close(path(ours), expected, CLOSE)


def test_the_slow_weights_are_the_point_after_every_kth_step():
    result = tw.minimize(quartic, START, tw.Lookahead(tw.SGD(0.01), 4), stop=tw.Steps(8))
    assert_close(result.state.state.rule.slow, result.x, CLOSE)
    result = tw.minimize(quartic, START, tw.Lookahead(tw.SGD(0.01), 4), stop=tw.Steps(7))
    assert np.abs(np.asarray(result.state.state.rule.slow) - result.x).max() > 1e-2


def test_lookahead_that_keeps_all_is_the_rule():
    assert_close(path(tw.Lookahead(tw.Momentum(0.01), 3, 1.0)), path(tw.Momentum(0.01)), CLOSE)


def test_cautious_never_steps_up_the_gradient():
    """Momentum turns back here; its masked update does not."""
    xs = path(tw.Cautious(tw.Momentum(0.02, 0.95)), half_square, steps=60)
    free = path(tw.Momentum(0.02, 0.95), half_square, steps=60)
    gradients = jax.jit(jax.vmap(jax.grad(half_square)))
    grads, free_grads = (np.asarray(gradients(x)) for x in (xs, free))
    assert np.all(np.diff(xs, axis=0) * grads[:-1] <= 1e-12)
    assert np.any(np.diff(free, axis=0) * free_grads[:-1] > 1e-3)


def test_the_scale_counts_the_entries_that_agree_leaf_by_leaf():
    rule = tw.Cautious(tw.Momentum(1.0, 0.5))
    x = {"a": np.zeros(4), "b": np.zeros(()), "none": None, "empty": np.zeros((0, 2))}
    before = x | {"a": np.asarray([2.0, 2.0, -4.0, 2.0]), "b": np.asarray(1.0)}
    grads = x | {"a": np.asarray([1.0, -0.5, 1.0, 0.0]), "b": np.asarray(1.0)}
    updates, _ = at_once(along, rule, jax.tree.map(lambda *leaves: np.stack(leaves), before, grads), x)
    update = jax.tree.map(lambda leaf: np.asarray(leaf)[1], updates)
    np.testing.assert_allclose(update["a"], [-2.0 * 4 / 2, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(update["b"], -1.5 / 2)


def test_where_no_entry_agrees_nothing_moves_even_without_xi():
    rule = tw.Cautious(tw.Momentum(1.0), xi=0)
    x = np.ones(2)
    np.testing.assert_array_equal(np.asarray(at_once(along, rule, np.stack([10 * x, -x]), x)[0])[1], 0.0)


@pytest.mark.parametrize("by", sampled(["leaf", "norm", "value"], ["norm"]))
def test_mars_without_reduction_is_clipping(by):
    assert_same(path(tw.MARS(tw.SGD(0.1), 0.0, limit=2.0, by=by)), path(tw.Clip(tw.SGD(0.1), 2.0, by)))


def test_mars_moves_the_gradient_on_by_a_part_of_its_change():
    rule = tw.MARS(tw.SGD(1.0), gamma=0.1, beta=0.8, limit=100.0)
    first, second = np.asarray(at_once(along, rule, np.asarray([[1.0, 2.0], [3.0, 2.0]]), np.zeros(2))[0])
    np.testing.assert_allclose(first, [-1.0, -2.0])  # there is no change yet
    np.testing.assert_allclose(second, [-(3.0 + 0.1 * 4 * 2.0), -2.0], rtol=1e-6)


def test_fully_reduced_the_mean_follows_the_gradient():
    """STORM's form, m_t = g_t + beta (m_{t-1} - g_{t-1}): what the mean lacked at the start fades like beta^t."""
    beta, grads = 0.8, np.random.default_rng(0).normal(size=(10, 3)).astype(FLOAT)
    rule = tw.MARS(tw.Momentum(1.0, beta, "average"), 1.0, beta, limit=1e6)
    updates, _ = at_once(along, rule, grads, grads[0])
    for t, (grad, update) in enumerate(zip(grads, np.asarray(updates), strict=True)):
        np.testing.assert_allclose(-update - grad, -(beta ** (t + 1)) * grads[0], rtol=1e-4, atol=1e-5)


def test_rules_around_rules_nest_and_take_optax_s():
    rule = tw.Lookahead(tw.Cautious(tw.MARS(optax.adam(0.05))), 3)
    with jax.numpy_dtype_promotion("standard"):
        result = tw.minimize(quartic, START, rule, stop=tw.Steps(50))
    assert result.value < 0.5 * result.trace.value[0]
