"""Held-out data: the loss and the metrics there."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.compiled import program
from thalweg.core.problem import Problem
from thalweg.core.types import Params
from thalweg.run.result import Validation


def evaluate(problem: Problem, x: Params, model_state: Any) -> dict[str, jax.Array]:
    """The validation loss under the name `value`, and every metric."""
    batch, objective = problem.validation, problem.objective
    if problem.validation_loss is not None:
        value = problem.validation_loss(x, batch)
    else:
        value = objective.on(batch, None, model_state).value(x)
    metrics = {} if problem.metrics is None else problem.metrics(x, batch)
    for name, metric in metrics.items():
        if jnp.shape(metric) != ():
            raise TypeError(
                f"The metric {name!r} has shape {jnp.shape(metric)}: return one number, for instance its mean."
            )
    return {"value": value, **metrics}


class Validator:
    """Measures the validation loss and metrics, and remembers the point with the lowest loss."""

    def __init__(self, problem: Problem, every: int):
        self.problem, self.every = problem, every
        self.steps: list[int] = []
        self.rows: list[dict[str, float]] = []
        self.best: tuple[Any, int] = (None, -1)
        self.latest = np.inf
        self.lowest = np.inf

    def measure(self, x: Params, step: int, model_state: Any) -> None:
        """One validation; a step is measured once."""
        if self.steps and self.steps[-1] == step:
            return
        found, dynamic = program(evaluate, self.problem, x, model_state)
        row = {name: float(v) for name, v in found.call(dynamic).items()}
        self.steps.append(step)
        self.rows.append(row)
        self.latest = row["value"]
        if self.latest < self.lowest or self.best[1] < 0:
            self.lowest, self.best = self.latest, (x, step)

    def row(self) -> dict[str, float]:
        """The latest numbers, named as the user sees them."""
        return {f"validation_{name}": v for name, v in self.rows[-1].items()} if self.rows else {}

    def table(self) -> Validation:
        """Everything measured."""
        names = [name for name in (self.rows[0] if self.rows else {}) if name != "value"]
        columns = {name: np.array([row[name] for row in self.rows]) for name in names}
        return Validation(np.array(self.steps), np.array([row["value"] for row in self.rows]), columns)
