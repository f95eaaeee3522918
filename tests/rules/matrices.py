"""What the tests of matrix rules share: a small regression, a tree of all kinds of leaves, paths without the driver."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import X64, at_once
from tests.rules.updates import first

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
    return jax.tree.map(np.asarray, at_once(walked, rule, x0, loss, steps))


def walked(rule, x0, loss, steps):
    """See `path`."""

    def one(carry, _):
        x, state = carry
        update, state = rule.update(jax.grad(loss)(x), state, x)
        return (jax.tree.map(jnp.add, x, update), state), x

    return jax.lax.scan(one, (x0, rule.init(x0)), length=steps + 1)[1]


def one_update(rule, grads):
    """The first update from a start at 1."""
    return jax.tree.map(np.asarray, at_once(first, rule, grads, jax.tree.map(np.ones_like, grads))[0])


def gradient(loss, fold=lambda w: w, unfold=lambda w: w):
    """The gradient in NumPy, of a leaf folded as the twin sees it."""
    grad = compiled_gradient(loss)
    return lambda w: fold(np.asarray(grad(unfold(w))))


@functools.cache
def compiled_gradient(loss):
    """One program a shape."""
    return jax.jit(jax.grad(loss))


def layers(tree):
    """The two items of a stacked tree."""
    return [jax.tree.map(lambda leaf, i=layer: leaf[i], tree) for layer in range(2)]
