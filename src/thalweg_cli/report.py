"""The report of a finished run on the standard output, as text or as JSON."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from thalweg.core.config import to_config
from thalweg.run.result import Result
from thalweg_cli.errors import SIGNAL_EXIT_BASE
from thalweg_cli.parameters import named_arrays

_MAX_NUMBERS_OF_X = 100
"""The largest number of entries of `x` in the JSON; `parameters.npz` holds larger ones."""


class FinishedRun(NamedTuple):
    """A finished run, its folder, and the files in it."""

    result: Result
    folder: Path
    files: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """The exit code: 0 for success, 1 for failure, 128 and the signal's number if a signal ended the run."""
        if self.result.signal is not None:
            return SIGNAL_EXIT_BASE + self.result.signal
        return 0 if self.result.ok else 1


def report_text(done: FinishedRun) -> str:
    """Returns the summary, and where the files are, as text."""
    return f"{done.result!r}\n  {'folder':<12}{done.folder}: {', '.join(done.files)}"


def report_json(done: FinishedRun) -> str:
    """Returns the summary as one JSON object."""
    return json.dumps(summary(done), allow_nan=False)


def summary(done: FinishedRun) -> dict[str, Any]:
    """Returns the run as a value for JSON; NaN and infinity, which JSON does not know, become null."""
    result = done.result
    restarts = result.restarts
    x = named_arrays(result.x)
    small = sum(array.size for array in x.values()) <= _MAX_NUMBERS_OF_X
    return _to_json_value(
        {
            "status": result.status.name,
            "ok": result.ok,
            "message": result.message,
            "rule": None if result.rule is None else to_config(result.rule),
            "signal": result.signal,
            "value": result.value,
            "optimality": result.optimality,
            "infeasibility": result.infeasibility,
            "steps": result.steps,
            "epochs": result.epochs,
            "kept": result.kept,
            "skipped": result.skipped,
            "evaluations": result.evals._asdict(),
            "seconds": result.seconds._asdict(),
            "method": result.name,
            "reason": result.reason,
            "validation": _validation_at_kept(result),
            "restarts": None
            if restarts is None
            else {**restarts._asdict(), "statuses": [s.name for s in restarts.statuses]},
            "advice": result.advice,
            "lines": result.lines(),
            "x": x if small else None,
            "folder": str(done.folder),
            "files": done.files,
        }
    )


def _validation_at_kept(result: Result) -> dict[str, Any] | None:
    """Returns the validation value and the metrics at `x`."""
    if result.validation is None or not len(result.validation.step):
        return None
    at = int(np.argmin(np.abs(result.validation.step - result.kept)))
    columns = {"step": result.validation.step, "value": result.validation.value, **result.validation.metrics}
    return {name: column[at] for name, column in columns.items()}


def _to_json_value(value: Any) -> Any:
    """Returns a value with dicts, lists, text and finite numbers only."""
    if isinstance(value, dict):
        return {key: _to_json_value(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json_value(v) for v in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _to_json_value(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
