"""Narrow parameters that follow a wide copy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import thalweg as tw
from tests.helpers import assert_same, at_once
from thalweg.problems.digits import digits, risk

STEPS = 60
JOB = digits(hidden=16)
BATCH = jax.tree.map(lambda a: a[:200], JOB.problem.objective.data)


def loss(params):
    """The digits' cross-entropy, computed in float32."""
    return risk(jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params), BATCH)


def narrow(params):
    """Weights and biases away from 0, where bfloat16 is dense, in bfloat16."""
    return jax.tree.map(lambda leaf: (np.asarray(leaf) + 0.5).astype(jnp.bfloat16), params)


def train(rule, x0):
    """The last point of the run, and its state."""
    result = tw.minimize(loss, x0, rule, stop=tw.Steps(STEPS), on_failure="ignore")
    return result.x, result.state.state.rule


def moved(x, start) -> np.ndarray:
    """The way of every entry."""
    ways = jax.tree.map(lambda a, b: np.asarray(a, float) - np.asarray(b, float), x, start)
    return np.concatenate([way.ravel() for way in jax.tree.leaves(ways)])


def test_updates_that_vanish_in_bfloat16_add_up():
    start, rule = narrow(JOB.x0), tw.Adam(2e-5)
    wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), start)
    alone, _ = train(rule, start)
    led, state = train(tw.MasterCopy(rule), start)
    full, _ = train(rule, wide)
    apart = np.abs(np.concatenate([np.asarray(leaf, float).ravel() for leaf in jax.tree.leaves(start)])) > 0.02
    assert np.all(moved(alone, start)[apart] == 0)
    way = moved(full, start)
    assert np.abs(way).mean() > 5e-4
    assert np.linalg.norm(moved(state.master, full)) < 0.1 * np.linalg.norm(way)
    for leaf, master in zip(jax.tree.leaves(led), jax.tree.leaves(state.master), strict=True):
        assert leaf.dtype == jnp.bfloat16
        np.testing.assert_array_equal(
            np.asarray(leaf, float), np.asarray(np.asarray(master).astype(jnp.bfloat16), float)
        )


def test_the_copy_goes_the_way_of_float32_with_the_same_gradients():
    rule, led = tw.Adam(0.01), tw.MasterCopy(tw.Adam(0.01))
    x = {"a": np.asarray([1.0, -2.0, 1e-3], np.float16), "b": np.ones(2, np.float32)}
    wide = jax.tree.map(lambda leaf: leaf.astype(np.float32), x)
    assert jax.eval_shape(led.init, x).master["b"] is None
    grads = jax.tree.map(lambda leaf: np.stack([np.full_like(leaf, 0.5) * (1 - t % 3) for t in range(20)]), x)
    x, master = at_once(walked, led, x, grads)
    wide, _ = at_once(walked, rule, wide, jax.tree.map(lambda g: g.astype(np.float32), grads))
    assert_same(master["a"], wide["a"])
    assert_same(x["b"], wide["b"])
    np.testing.assert_allclose(np.asarray(x["a"], float), np.asarray(wide["a"], float), rtol=2e-3, atol=1e-6)


def walked(rule, x, grads):
    """The parameters and their copy, if there is one, after each gradient."""

    def one(carry, g):
        x, state = carry
        update, state = rule.update(g, state, x)
        x = optax.apply_updates(x, update)
        return (x, state), (x, getattr(state, "master", None))

    return jax.lax.scan(one, (x, rule.init(x)), grads)[1]


def test_a_change_of_sign_is_made_up_for_at_the_next_step():
    grads = np.asarray([[0.9985], [0.0]], jnp.bfloat16)
    x, master = map(np.asarray, at_once(walked, tw.MasterCopy(tw.SGD(1.0)), np.ones(1, jnp.bfloat16), grads))
    far = np.abs(x.astype(float) - master.astype(jnp.bfloat16).astype(float))[:, 0]
    assert far[0] <= 2.0**-9
    assert far[1] == 0


def test_compact_inside():
    x = {"w": np.ones((64, 64), jnp.bfloat16)}
    described = tw.describe(tw.MasterCopy(tw.CompactState(tw.Adam(), "int8")), x)
    assert described.rows[0].state_bytes == 4096 * (4 + 2) + 2 * 16 * 4
