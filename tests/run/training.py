"""What the tests of training share: a small regression of which every example is numbered, and what a step saw."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import thalweg as tw
from tests.helpers import assert_same, tol

EXAMPLES, FEATURES = 11, 3
METHOD = tw.Adam(0.1)
CLOSE = tol(1e-12, 1e-4)
"""Rounding over a short run."""


def table(examples: int = EXAMPLES, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, targets, and the number of each example."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(examples, FEATURES))
    targets = features @ [1.0, -2.0, 0.5] + 0.3 + 0.1 * rng.normal(size=examples)
    return features, targets, np.arange(examples, dtype=float)


def loss(params: Any, batch: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The mean squared error; beside it, in base 4, how often each example is in the batch."""
    features, targets, numbers = batch
    residual = features @ params["w"] + params["b"] - targets
    return jnp.mean(residual**2), {"seen": jnp.sum(4.0**numbers)}


def start() -> dict[str, np.ndarray]:
    """Where all runs begin."""
    return {"w": np.zeros(FEATURES), "b": np.zeros(())}


def seen(result: tw.Result) -> list[list[int]]:
    """The examples of each step in ascending order; one that was there twice is there twice."""
    return [[k for k in range(26) for _ in range(int(code) // 4**k % 4)] for code in result.trace.aux["seen"]]


def in_memory(examples: int = EXAMPLES, **parts: Any) -> tw.Problem:
    """The problem with its data."""
    return tw.Problem(loss, table(examples), has_aux=True, **parts)


def streamed(source: Any, steps_per_epoch: int | None = None, **parts: Any) -> tw.Problem:
    """The problem on batches from elsewhere."""
    return tw.Problem(loss, tw.Stream(source, steps_per_epoch), has_aux=True, **parts)


@functools.partial(jax.jit, static_argnums=(0, 2))
def order_of_epoch(seed: int, epoch: jax.Array, size: int) -> Any:
    """The data in the order of an epoch, by the public way to a batch: all full ones, and the short last one."""
    batches, data, key = tw.Batches(size), jax.tree.map(jnp.asarray, table()), jax.random.key(seed)
    first, full = epoch * batches.steps(EXAMPLES), batches.full(EXAMPLES)
    parts = [batches.take(data, key, first + step) for step in range(full)]
    parts += [batches.take(data, key, first + full, short=True)] if batches.short(EXAMPLES) else []
    return parts


def taken(count: int, size: int = 4, seed: int = 0) -> list[Any]:
    """The batches of the first steps of a run in memory."""
    per_epoch = tw.Batches(size).steps(EXAMPLES)
    epochs = range(-(-count // per_epoch))
    return [batch for epoch in epochs for batch in order_of_epoch(seed, np.int32(epoch), size)][:count]


@functools.partial(jax.jit, static_argnums=0)
def optax_step(transformation: Any, params: Any, state: Any, batch: Any) -> tuple[Any, Any, jax.Array]:
    """One step of a hand-written loop: parameters, state, value."""
    (value, _), grad = jax.value_and_grad(loss, has_aux=True)(params, batch)
    with jax.numpy_dtype_promotion("standard"):
        update, state = transformation.update(grad, state, params)
    return optax.apply_updates(params, update), state, value


def by_hand(transformation: Any, batches: Any) -> tuple[Any, list[jax.Array]]:
    """Where a hand-written loop over these batches ends, and its values; None in place of a batch skips a step."""
    params = jax.tree.map(jnp.asarray, start())
    state, values = transformation.init(params), []
    for batch in batches:
        if batch is not None:
            params, state, value = optax_step(transformation, params, state, batch)
            values.append(value)
    return params, values


def cut(data: Any, size: int) -> list[Any]:
    """The data in batches, in their order; the last one may be short."""
    examples = len(jax.tree.leaves(data)[0])
    return [jax.tree.map(lambda a, k=k: a[k : k + size], data) for k in range(0, examples, size)]


class NoLength:
    """Something to iterate over again and again, like a loader that does not know its length."""

    def __init__(self, batches: list[Any]):
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


def assert_same_run(a: tw.Result, b: tw.Result) -> None:
    """Point, model state, trace, validation and status are equal bit for bit."""
    assert_same(a.x, b.x)
    assert_same(a.model_state, b.model_state)
    assert_same(a.trace, b.trace)
    assert (a.status, a.steps, a.kept, a.epochs) == (b.status, b.steps, b.kept, b.epochs)
    assert (a.skipped, a.message) == (b.skipped, b.message)
    assert (a.validation is None) == (b.validation is None)
    if a.validation is not None:
        assert_same(tuple(a.validation), tuple(b.validation))
