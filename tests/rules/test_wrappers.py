"""Clipping, noise, centralization, accumulation, lost steps: what the battery does not say of them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import X64, assert_close, assert_same, at_once, half_square, iterates, quartic, tol
from tests.rules.matrices import walked
from tests.rules.updates import first, repeated, stepped

START = np.asarray([0.5, -1.0, 3.0], float if X64 else np.float32)
TREE = {"w": np.asarray([[3.0, -4.0], [0.0, 0.0]], START.dtype), "b": np.asarray([12.0, 0.0], START.dtype)}
PLAIN = tw.SGD(1.0)


def seen(rule: tw.Rule, grads, params=None):
    """The gradient that the rule inside sees: gradient descent of rate 1 returns its negative."""
    return jax.tree.map(lambda leaf: -np.asarray(leaf), at_once(once, rule, grads, params))


def once(rule, grads, params):
    """The first update."""
    return rule.update(grads, rule.init(grads), params)[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tw.Clip(3.0), r"Clip\(rule=3.0\): rule must be a rule such as tw.Adam"),
        (lambda: tw.Clip(PLAIN, 0.0), r"Clip\(limit=0.0\): limit must be a finite number > 0"),
        (lambda: tw.Clip(PLAIN, by="layer"), r"Clip\(by=.layer.\): by must be one of .norm., .leaf., .value."),
        (lambda: tw.AdaptiveClip(PLAIN, -1), r"AdaptiveClip\(ratio=-1.0\): ratio must be a finite number > 0"),
        (lambda: tw.AdaptiveClip(PLAIN, outputs=1), r"outputs must be .last. \(inputs @ weight, Flax\) or .first."),
        (lambda: tw.Centralize(PLAIN, 2), r"Centralize\(outputs=2\)"),
        (
            lambda: tw.GradientNoise(PLAIN, -0.1),
            r"GradientNoise\(variance=-0.1\): variance must be a finite number >= 0",
        ),
        (lambda: tw.Accumulate(PLAIN, 0), r"Accumulate\(batches=0\): batches must be a whole number >= 1"),
        (lambda: tw.SkipNonfinite("adam"), r"SkipNonfinite\(rule='adam'\): rule must be a rule"),
        (lambda: tw.Nesterov(1.0), r"Nesterov\(rule=1.0\): rule must be a rule"),
        (lambda: tw.ScheduleFree(None), r"ScheduleFree\(rule=None\): rule must be a rule"),
    ],
)
def test_misuse_is_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_adaptive_clip_needs_params():
    with pytest.raises(ValueError, match=r"AdaptiveClip.update\(params=None\): this rule needs params; call update"):
        tw.AdaptiveClip(PLAIN).update(TREE, tw.AdaptiveClip(PLAIN).init(TREE))


def test_clip_by_norm_leaf_and_value():
    by_norm = seen(tw.Clip(PLAIN, 1.3), TREE)  # the norm is 13
    np.testing.assert_allclose(by_norm["w"], [[0.3, -0.4], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(by_norm["b"], [1.2, 0], rtol=1e-6)
    by_leaf = seen(tw.Clip(PLAIN, 1.0, "leaf"), TREE)
    np.testing.assert_allclose(by_leaf["w"], [[0.6, -0.8], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(by_leaf["b"], [1, 0], rtol=1e-6)
    by_value = seen(tw.Clip(PLAIN, 3.5, "value"), TREE)
    np.testing.assert_allclose(by_value["w"], [[3, -3.5], [0, 0]])


@pytest.mark.parametrize("by", ["norm", "leaf", "value"])
def test_a_gradient_within_the_limit_passes_bit_for_bit_and_zero_stays_zero(by):
    rule = tw.Clip(PLAIN, 13.5, by)
    assert_same(seen(rule, TREE), TREE)
    nothing = jax.tree.map(np.zeros_like, TREE)
    assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves(seen(rule, nothing)))


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_norms_beyond_the_range_of_squares_are_clipped_right(size):
    huge = np.asarray([3.0, 4.0], np.float32) * np.float32(size)
    got = seen(tw.Clip(PLAIN, size), huge)
    np.testing.assert_allclose(np.asarray(got, float) / size, [0.6, 0.8], rtol=1e-6)


def test_a_lost_gradient_stays_visible_through_a_clip():
    got = seen(tw.Clip(PLAIN), np.asarray([np.nan, 1.0]))
    assert np.isnan(np.asarray(got)).any()


@pytest.mark.parametrize("outputs", ["last", "first"])
def test_adaptive_clip_limits_every_unit_by_its_weights(outputs):
    rng = np.random.default_rng(0)
    w, g = rng.normal(size=(4, 3)), 10 * rng.normal(size=(4, 3))
    w[:, 1] = w[1, :] = 0  # a unit without weights counts as eps
    got = np.asarray(seen(tw.AdaptiveClip(PLAIN, 0.1, 1e-2, outputs), g, w), float)
    w, g, got = (a if outputs == "last" else a.T for a in (w, g, got))
    for unit in range(g.shape[1]):
        limit = 0.1 * max(np.linalg.norm(w[:, unit]), 1e-2)
        expected = g[:, unit] * min(1, limit / np.linalg.norm(g[:, unit]))
        np.testing.assert_allclose(got[:, unit], expected, rtol=tol(1e-12, 1e-5))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_centralize_takes_every_units_mean(shape):
    g = np.random.default_rng(1).normal(size=shape)
    last = np.asarray(seen(tw.Centralize(PLAIN), g), float)
    np.testing.assert_allclose(
        last, g - g.mean(axis=tuple(range(len(shape) - 1)), keepdims=True), atol=tol(1e-14, 1e-6)
    )
    first = np.asarray(seen(tw.Centralize(PLAIN, "first"), g), float)
    np.testing.assert_allclose(
        first, g - g.mean(axis=tuple(range(1, len(shape))), keepdims=True), atol=tol(1e-14, 1e-6)
    )


def test_noise_has_the_mean_and_the_variance_that_are_documented():
    zeros = {"a": np.zeros((100, 100)), "b": np.zeros(10_000)}
    update, other = jax.tree.map(np.asarray, at_once(two_noises, tw.GradientNoise(PLAIN, 0.04, 0.5), zeros))
    a, b = np.asarray(update["a"]).ravel(), np.asarray(update["b"])
    assert np.var(np.r_[a, b]) == pytest.approx(0.04 / 4, rel=0.03)
    assert abs(np.mean(np.r_[a, b])) < 0.1 * 4 / 141
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.04, "every leaf has a stream of its own"
    assert not np.allclose(update["b"], other["b"])


def two_noises(rule, zeros):
    """The updates at steps 15 and 16."""
    state = rule.init(zeros)._replace(count=jnp.asarray(15, jnp.int32))
    update, after = rule.update(zeros, state, key=jax.random.key(7))
    return update, rule.update(zeros, after, key=jax.random.key(8))[0]


def test_a_loop_without_keys_has_noise_too():
    first, second = np.asarray(at_once(repeated, tw.GradientNoise(PLAIN), np.zeros(3), np.zeros(3), 2)[0])
    assert np.all(first != 0)
    assert np.all(first != second)


def regression(x, batch):
    """Mean squared error of a line."""
    t, y = batch
    return jnp.mean((x[0] + x[1] * t - y) ** 2)


@pytest.mark.parametrize("rule", [tw.Momentum(0.1), tw.Adam(0.1)], ids=["momentum", "adam"])
def test_small_batches_accumulated_are_the_large_batch(rule):
    t = np.linspace(0, 1, 12)
    problem = tw.Problem(regression, (t, 1 + 2 * t))
    x0 = np.zeros(2)
    large = tw.minimize(problem, x0, rule, stop=tw.Steps(5))
    batches = np.stack([[t[i::3], 1 + 2 * t[i::3]] for i in range(3)] * 5)
    xs = np.asarray(at_once(on_batches, tw.Accumulate(rule, 3), x0, batches))
    for step, (before, after) in enumerate(itertools.pairwise(xs)):
        assert np.any(after != before) == (step % 3 == 2)
    assert_close(xs[-1], np.asarray(large.x), tol(1e-12, 1e-5))


def on_batches(rule, x0, batches):
    """`x_0, x_1, ...`, every step on a batch of its own."""

    def one(carry, batch):
        x, state = carry
        update, state = rule.update(jax.grad(regression)(x, batch), state, x)
        return (x + update, state), x + update

    return jnp.concatenate([x0[None], jax.lax.scan(one, (x0, rule.init(x0)), batches)[1]])


def test_accumulate_agrees_with_optax():
    rule = tw.Accumulate(tw.Momentum(0.02, 0.5), 2)
    theirs = optax.MultiSteps(optax.sgd(0.02, 0.5), 2).gradient_transformation()
    with jax.numpy_dtype_promotion("standard"):
        expected = at_once(walked, theirs, START, quartic, 5)
    assert_close(iterates(tw.Problem(quartic), tw.FirstOrder(rule), START, 5), expected, 1e-6)


def test_a_lost_gradient_is_left_out_with_its_state():
    rule = tw.SkipNonfinite(tw.Adam(0.1))
    x = {"a": np.ones(2, START.dtype), "b": np.ones((), START.dtype)}
    lost = {"a": np.asarray([np.inf, 1.0], START.dtype), "b": np.ones((), START.dtype)}
    update, before = at_once(first, rule, x, x)
    nothing, after = at_once(stepped, rule, lost, before, x)
    assert_same(nothing, jax.tree.map(np.zeros_like, x))
    assert_same(after.rule, before.rule)
    assert (int(before.skipped), int(after.skipped)) == (0, 1)
    again, _ = at_once(stepped, rule, x, after, x)
    assert_close(again, at_once(stepped, rule.rule, x, before.rule, x)[0], tol(1e-14, 1e-6))
    assert np.all(np.asarray(update["a"]) != 0)


@pytest.mark.thorough
def test_wrappers_compose_and_take_optax_transformations():
    rule = tw.Clip(tw.GradientNoise(tw.Accumulate(optax.sgd(0.1), 2), 0.0), 5.0)
    result = tw.minimize(half_square, START, rule, stop=tw.Steps(400))
    np.testing.assert_allclose(result.x, 1, atol=tol(1e-6, 1e-5))
    inside = tw.Clip(tw.Momentum(tw.schedules.Cosine(0.1)), 5.0)
    result = tw.minimize(half_square, START, inside, stop=tw.Steps(50))
    assert result.trace.step_size[0] == pytest.approx(0.1), "the rate is read through the wrapper"
    assert result.trace.step_size[-1] < 1e-6


def test_a_result_names_the_rule_inside():
    result = tw.minimize(half_square, START, tw.Clip(tw.Lookahead(tw.Adam(0.1))), stop=tw.Steps(2))
    assert result.name == "Clip(Lookahead(Adam))"
