"""A finished run on the standard output: for a reader, or as JSON for a program."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from thalweg.core.config import to_config
from thalweg.run.result import Result
from thalweg_cli.errors import SIGNALED
from thalweg_cli.parameters import arrays

LARGEST = 100
"""Numbers of `x` beyond which the JSON leaves it to `parameters.npz`."""


class Done(NamedTuple):
    """A finished run, its folder, and the files there."""

    result: Result
    folder: Path
    files: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 where the user got what the stop rule asked for."""
        if self.result.signal is not None:
            return SIGNALED + self.result.signal
        return 0 if self.result.ok else 1


def text(done: Done) -> str:
    """The summary, and where the files are."""
    return f"{done.result!r}\n  {'folder':<12}{done.folder}: {', '.join(done.files)}"


def as_json(done: Done) -> str:
    """The summary as one JSON object."""
    return json.dumps(summary(done), allow_nan=False)


def summary(done: Done) -> dict[str, Any]:
    """The run as JSON can hold it; numbers that JSON does not know (NaN, infinity) are null."""
    result = done.result
    restarts = result.restarts
    x = arrays(result.x)
    small = sum(array.size for array in x.values()) <= LARGEST
    return plain(
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
            "validation": held_out(result),
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


def held_out(result: Result) -> dict[str, Any] | None:
    """The validation numbers at `x`."""
    if result.validation is None or not len(result.validation.step):
        return None
    at = int(np.argmin(np.abs(result.validation.step - result.kept)))
    columns = {"step": result.validation.step, "value": result.validation.value, **result.validation.metrics}
    return {name: column[at] for name, column in columns.items()}


def plain(value: Any) -> Any:
    """Dicts, lists, text and finite numbers."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
