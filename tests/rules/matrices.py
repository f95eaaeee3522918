"""What the tests of matrix rules share: a small regression, a tree of all kinds of leaves, paths without the driver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import X64

WIDE = float if X64 else np.float32
STEPS = 10
CLOSE = 1e-8
RNG = np.random.default_rng(0)
INPUTS, TARGETS = RNG.normal(size=(20, 4)), RNG.normal(size=(20, 3))
START = RNG.normal(size=(4, 3))

exactly = pytest.mark.skipif(not X64, reason="rounding in float32 hides a wrong formula")


def regression(w):
    """Linear regression of three outputs on four inputs."""
    return jnp.mean((jnp.asarray(INPUTS, w.dtype) @ w - jnp.asarray(TARGETS, w.dtype)) ** 2)


def mixed(*lead):
    """A matrix, a kernel, a vector and a scalar, each as many times as `lead` says."""
    shapes = {"w": (4, 3), "kernel": (3, 2, 2, 5), "bias": (3,), "scale": ()}
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=(*lead, *shape)).astype(WIDE) for name, shape in shapes.items()}


def path(rule, x0, loss, steps=STEPS):
    """`x_0, ..., x_steps`, by the rule alone."""

    def one(carry, _):
        x, state = carry
        update, state = rule.update(jax.grad(loss)(x), state, x)
        return (jax.tree.map(jnp.add, x, update), state), x

    x0 = jax.tree.map(jnp.asarray, x0)
    return jax.jit(lambda x: jax.lax.scan(one, (x, rule.init(x)), length=steps + 1)[1])(x0)


def one_update(rule, grads):
    """The first update from a start at 1."""
    x = jax.tree.map(jnp.ones_like, grads)
    return jax.jit(rule.update)(grads, rule.init(x), x)[0]


def gradient(loss, fold=lambda w: w, unfold=lambda w: w):
    """The gradient in NumPy, of a leaf folded as the twin sees it."""
    grad = jax.jit(jax.grad(loss))
    return lambda w: fold(np.asarray(grad(jnp.asarray(unfold(w)))))


def layers(tree):
    """The two items of a stacked tree."""
    return [jax.tree.map(lambda leaf, i=layer: leaf[i], tree) for layer in range(2)]
