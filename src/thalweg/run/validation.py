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
from thalweg.core.problem import Problem
from thalweg.core.stream import Stream
from thalweg.core.types import Params
from thalweg.run.result import Validation

BLOCK = 1024
"""Fewest examples of a block: a forward pass of them fits where a training step of as many does."""


class Measures(NamedTuple):
    """What is measured on held-out data: the objective (without data) or what stands in for it, and metrics."""

    objective: Objective
    loss: Callable | None
    metrics: Callable | None
    stateful: bool


class Best(NamedTuple):
    """The point with the lowest validation value."""

    x: Params
    model_state: Any
    step: int
    value: float


def measure(
    measures: Measures, data: Any, begin: Any, size: int | None, x: Params, model_state: Any
) -> dict[str, jax.Array]:
    """The validation loss under the name `value`, and every metric, on `size` examples from `begin` on."""
    if size is not None:
        data = jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, begin, size), data)
    state = (model_state,) if measures.stateful else ()
    if measures.loss is not None:
        value = measures.loss(x, data, *state[: positions(measures.loss) - 2])
    else:
        value = measures.objective.on(data, None, model_state).value(x)
    metrics = {} if measures.metrics is None else measures.metrics(x, data, *state[: positions(measures.metrics) - 2])
    for name, metric in {"loss": value, **metrics}.items():
        if jnp.shape(metric) != ():
            raise TypeError(
                f"The metric {name!r} has shape {jnp.shape(metric)}: return one number, for instance its mean."
            )
    return {"value": value, **metrics}


def mean(blocks: list[tuple[int, dict[str, jax.Array]]]) -> dict[str, float]:
    """The mean of every number over blocks, weighted by their sizes."""
    sizes = [size for size, _ in blocks]
    columns = {name: [float(values[name]) for _, values in blocks] for name in blocks[0][1]}
    if len(blocks) == 1:
        return {name: column[0] for name, column in columns.items()}
    return {name: float(np.average(column, weights=sizes)) for name, column in columns.items()}


def positions(function: Callable) -> int:
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
    """Measures the validation loss and metrics, and remembers the point with the lowest loss.

    - `block`: the most examples at once; None for all of them.
    """

    def __init__(self, problem: Problem, stateful: bool, block: int | None = None):
        bare = replace(problem.objective, data=None, key=None, model_state=None)
        self.measures = Measures(bare, problem.validation_loss, problem.metrics, stateful)
        self.data, self.block = problem.validation, block
        self.steps: list[int] = []
        self.rows: list[dict[str, float]] = []
        self.best: Best | None = None

    @property
    def latest(self) -> float:
        """The latest validation value; infinity before the first."""
        return self.rows[-1]["value"] if self.rows else np.inf

    @property
    def latest_step(self) -> int:
        """Its step; -1 before the first."""
        return self.steps[-1] if self.steps else -1

    def measure(self, x: Params, step: int, model_state: Any) -> bool:
        """One validation, once a step; whether it is the best so far."""
        if step == self.latest_step:
            return False
        self.steps.append(step)
        self.rows.append(mean(list(self.blocks(x, model_state))))
        if self.best is not None and not (self.latest < self.best.value or np.isnan(self.best.value)):
            return False
        self.best = Best(x, model_state, step, self.latest)
        return True

    def blocks(self, x: Params, model_state: Any) -> Iterator[tuple[int, dict[str, jax.Array]]]:
        """Size and values of each block; the calls are sent off before a value is read."""
        if isinstance(self.data, Stream):
            for batch in self.data.epoch(0):
                yield examples_in(batch), self.call(batch, None, None, x, model_state)
            return
        n = examples_in(self.data)
        size = n if self.block is None else -(-n // -(-n // self.block))
        for begin in range(0, n, size):
            here = min(size, n - begin)
            yield here, self.call(self.data, np.asarray(begin, np.int32), here, x, model_state)

    def call(self, data: Any, begin: Any, size: int | None, x: Params, model_state: Any) -> dict[str, jax.Array]:
        """One compiled call."""
        found, dynamic = program(measure, self.measures, data, begin, size, x, model_state)
        return found.call(dynamic)

    def row(self) -> dict[str, float]:
        """The latest numbers, named as the user sees them."""
        return {f"validation_{name}": v for name, v in self.rows[-1].items()} if self.rows else {}

    def table(self, since: int = 0) -> Validation:
        """Everything measured, or only what came after the first `since` validations."""
        rows = self.rows[since:]
        names = [name for name in (self.rows[0] if self.rows else {}) if name != "value"]
        columns = {name: np.array([row[name] for row in rows]) for name in names}
        return Validation(np.array(self.steps[since:], int), np.array([row["value"] for row in rows]), columns)
