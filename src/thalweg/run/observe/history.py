"""The rows of a run on disk, written as they come: `history.csv`, or `history.jsonl`."""

from pathlib import Path
from typing import Any

import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.variables import leaf_name
from thalweg.run.observe.callbacks import Event
from thalweg.run.observe.lock import Claim
from thalweg.run.observe.table import STEP, Columns, Row, Table, check_path
from thalweg.run.result import Result

_DIGITS = 6
"""Decimals of an epoch."""


class History:
    """Writes a row a step to a file while the run goes on: `callbacks=[tw.History("history.csv")]`.

    - `path`: a file whose name ends in `.csv` or `.jsonl` (a JSON object a line), in a folder that is there.

    The columns are `step`, `epoch`, `value`, `step_size`, `optimality` where the method measures it, `infeasibility`
    where there is any, `aux_*` from the loss, `extra_*` from the method (a temperature, a curvature), and
    `validation_*` in the row of the step at which they were measured. What was not measured, and NaN, is an empty cell
    or null. The rows are on disk after every chunk, so a run that is killed keeps them; the last one waits for the
    next chunk, which may bring its validation.

    Of a file that exists, the rows before the run's first step stay and the others are replaced: a run that is
    continued with `state=` goes on in its file, and one that begins anew writes it anew. A file with anything
    else in it is refused, and so is one that another run is writing.
    """

    every = None

    def __init__(self, path: str | Path):
        self.path = Path(path)
        check_path(self.path)
        self._claim: Claim | None = None
        self._table: Table | None = None
        self._waiting: Row = {}
        self._passes: float | None = None

    def open(self) -> None:
        """Takes the file for this run."""
        self._claim = Claim(self.path)

    def __call__(self, event: Event) -> None:
        """Writes every row but the last."""
        if self._table is None:
            self._waiting, self._passes = {}, 0.0 if event.first_row == 0 else event.epoch
            self._table = Table(self.path, event.first_row)
        columns = _columns_of(event, self._waiting, self._passes)
        self._passes = event.epoch
        self._waiting = {name: column.pop() for name, column in columns.items() if column}
        self.write(columns)

    def close(self) -> None:
        """Writes the last row and gives the file back. A run after this one begins with the file as it is then."""
        waiting, self._waiting = self._waiting, {}
        try:
            self.write({name: [cell] for name, cell in waiting.items()})
        finally:
            if self._table is not None:
                self._table.close()
            if self._claim is not None:
                self._claim.release()
            self._table = self._claim = None

    def write(self, columns: Columns) -> None:
        """Adds rows to the file, which is given up where that fails."""
        if self._table is None or not columns:
            return
        try:
            self._table.add(columns)
        except OSError as error:
            self._table.close()
            self._table, self._waiting = None, {}
            raise OSError(error.errno, error.strerror, str(self.path)) from error


def write_history(result: Result, path: Path) -> None:
    """The history of a finished run, for one that takes no callbacks."""
    history = History(path)
    history(_as_event(result))
    history.close()


def _as_event(result: Result) -> Event:
    """A finished run as a callback would see it that is called at the end only."""
    return Event(
        step=result.steps,
        epoch=result.epochs,
        x=result.x,
        solver=result.method,
        whole=result.whole,
        first_row=result.first_step,
        trace=result.trace,
        validation={},
        validations=result.validation,
        seconds=result.seconds.compile + result.seconds.run,
        length=None,
        steps_per_epoch=result.steps / result.epochs if result.epochs else None,
        final=True,
    )


def _columns_of(event: Event, waiting: Row, passes: float | None) -> Columns:
    """The rows of the steps and the validations that an event brings, and of the one that waits, in columns.

    - `passes`: those over the data before the event's first row, for a stream that does not say how long one is.
    """
    trace = event.trace
    steps = np.arange(event.first_row, event.first_row + len(trace.value))
    measured = np.empty(0, int) if event.validations is None else event.validations.step
    everything = np.union1d(np.union1d(steps, measured), np.array([waiting[STEP]] if waiting else [], int)).astype(int)

    def column(at, values):
        cells: list[Any] = [None] * len(everything)
        for place, number in zip(np.searchsorted(everything, at).tolist(), _numbers(values), strict=True):
            cells[place] = number
        return cells

    columns = {STEP: everything.tolist(), "epoch": _numbers(_epochs(event, everything, passes))}
    columns |= {"value": column(steps, trace.value), "step_size": column(steps, trace.step_size)}
    if not np.isnan(trace.optimality).all():
        columns["optimality"] = column(steps, trace.optimality)
    if np.any(trace.infeasibility > 0):
        columns["infeasibility"] = column(steps, trace.infeasibility)
    for part, tree in (("aux", trace.aux), ("extra", trace.extra)):
        columns |= {f"{part}_{leaf_name(path)}": column(steps, leaf) for path, leaf in tree_leaves_with_path(tree)}
    if event.validations is not None:
        held_out = {"value": event.validations.value, **event.validations.metrics}
        columns |= {f"validation_{name}": column(measured, values) for name, values in held_out.items()}
    place = int(np.searchsorted(everything, waiting.get(STEP, 0)))
    for name, number in waiting.items():
        if number is not None:
            columns.setdefault(name, [None] * len(everything))[place] = number
    return columns


def _epochs(event: Event, steps: np.ndarray, passes: float | None) -> np.ndarray:
    """Passes over the data that were completed at each step, with a fraction where the length of one is known."""
    if event.epoch is None:
        return np.full(len(steps), np.nan)
    if event.steps_per_epoch is not None:
        return np.round(steps / event.steps_per_epoch, _DIGITS)
    return np.where(steps >= event.step, event.epoch, np.nan if passes is None else passes)


def _numbers(column: Any) -> list[float | None]:
    """The numbers of a column, each as short as its dtype can tell it apart; None for NaN."""
    column = np.asarray(column)
    if column.dtype != np.float64:
        column = column.astype(str).astype(float)
    return [None if number != number else number for number in column.tolist()]
