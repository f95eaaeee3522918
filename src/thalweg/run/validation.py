"""Held-out data: the loss and the metrics there, in blocks."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.batches import examples_in
from thalweg.core.compiled import program
from thalweg.core.fields import replace
from thalweg.core.objective import Objective
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.stream import Stream, check_batch
from thalweg.core.types import Params
from thalweg.core.variables import hold, is_array, release

VALIDATION_BLOCK = 1024
"""Fewest examples of a block: a forward pass of them fits where a training step of as many does."""


class _Measures(NamedTuple):
    """What is measured on held-out data: the objective (without data) or what stands in for it, and metrics."""

    objective: Objective
    loss: Callable | None
    metrics: Callable | None
    stateful: bool
    sign: int


def _measure_block(
    measures: _Measures, data: Any, begin: Any, size: int | None, x: Params, model_state: Any
) -> dict[str, jax.Array]:
    """The validation loss under the name `value`, and every metric, on `size` examples from `begin` on."""
    if size is not None:
        data = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, begin, size), data)
    x = release(x)
    state = (model_state,) if measures.stateful else ()
    if measures.loss is not None:
        value = measures.loss(x, data, *state[: _positions(measures.loss) - 2])
    else:
        value = measures.sign * measures.objective.on(data, None, model_state).value(x)
    _check_number("The validation loss", value)
    metrics = {} if measures.metrics is None else measures.metrics(x, data, *state[: _positions(measures.metrics) - 2])
    if not isinstance(metrics, dict):
        raise TypeError(f"metrics returned a {type(metrics).__name__}: return a dict of numbers by name.")
    for name, metric in metrics.items():
        _check_number(f"The metric {name!r}", metric)
    if "value" in metrics:
        raise ValueError("The metric 'value' has the name of the validation loss: choose another one.")
    return {"value": measures.sign * value, **metrics}


def _check_number(name: str, value: Any) -> None:
    """Refuses what is not one real number."""
    if not isinstance(value, (bool, int, float)) and not is_array(value):
        raise TypeError(f"{name} is a {type(value).__name__}: return one real number.")
    dtype = jnp.result_type(value)
    if jnp.shape(value) != () or jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(
            f"{name} has shape {jnp.shape(value)} and dtype {dtype}: return one real number, for instance its mean."
        )


def _weighted_mean(blocks: list[tuple[int, dict[str, jax.Array]]]) -> dict[str, float]:
    """The mean of every number over blocks, weighted by their sizes."""
    sizes = [size for size, _ in blocks]
    columns = {name: [float(values[name]) for _, values in blocks] for name in blocks[0][1]}
    if len(blocks) == 1:
        return {name: column[0] for name, column in columns.items()}
    return {name: float(np.average(column, weights=sizes)) for name, column in columns.items()}


def _positions(function: Callable) -> int:
    """How many arguments a function takes by position, at least 2; a random key is none of them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 2
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        return 3
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return max(2, sum(p.kind in kinds and p.name != "key" for p in parameters))


class Validator:
    """Measures the validation loss and metrics.

    - `block`: the most examples at once; None for all of them.
    """

    def __init__(self, problem: Problem, block: int | None = None):
        bare = replace(problem.objective, data=None, key=None, model_state=None)
        stateful = Oracle.MODEL_STATE in problem.objective.offers
        self.measures = _Measures(bare, problem.validation_loss, problem.metrics, stateful, problem.sign)
        self.data, self.block = problem.validation, block

    def measure(self, x: Params, step: int, model_state: Any) -> dict[str, float]:
        """The validation loss under the name `value`, and every metric, at the user's tree `x`."""
        blocks = list(self.blocks(x, model_state))
        if not blocks:
            raise ValueError(f"validation={self.data!r} was empty at step {step}: give batches that can be read again.")
        return _weighted_mean(blocks)

    def blocks(self, x: Params, model_state: Any) -> Iterator[tuple[int, dict[str, jax.Array]]]:
        """Size and values of each block; the calls are sent off before a value is read."""
        if isinstance(self.data, Stream):
            for batch in self.data.epoch(0):
                check_batch(batch)
                yield examples_in(batch), self.call(batch, None, None, x, model_state)
            return
        n = examples_in(self.data)
        size = n if self.block is None else -(-n // -(-n // self.block))
        for begin in range(0, n, size):
            here = min(size, n - begin)
            yield here, self.call(self.data, np.asarray(begin, np.int32), here, x, model_state)

    def call(self, data: Any, begin: Any, size: int | None, x: Params, model_state: Any) -> dict[str, jax.Array]:
        """One compiled call."""
        found, dynamic = program(_measure_block, self.measures, data, begin, size, hold(x), model_state)
        return found.call(dynamic)
