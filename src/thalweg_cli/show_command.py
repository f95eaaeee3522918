"""The command `thalweg show`: a saved run as text with curves, or as JSON. Nothing here needs JAX."""

import csv
import itertools
import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

from thalweg_cli.errors import Misuse
from thalweg_cli.run_folder import CONFIG, HISTORY, RESULT, RUNS_FOLDER, read_json
from thalweg_cli.sparklines import is_finite_number, marks_for, spans_decade, sparkline

_STEP_COLUMN = "step"
"""The first column of a history."""
_MAX_MARKS, _MIN_MARKS = 60, 8
"""The largest and smallest number of characters of a curve."""
_MAX_PROSE_WIDTH = 120
"""The largest width of text in characters."""

_NOT_OPTIONS = ("thalweg", "problem", "method", "stop")
"""The entries of a configuration that are not options."""

Curves = dict[str, list[float | None]]


class _SavedRun(NamedTuple):
    """The contents of a run's folder; None for a file that does not exist yet. The history is name -> column."""

    folder: Path
    config: dict | None
    result: dict | None
    history: Curves


def show_run(folder: Path | None, as_json: bool) -> None:
    """Prints a run, by default the most recent one."""
    run = _read_run(_newest_run() if folder is None else folder)
    print(json.dumps(_as_json_value(run), allow_nan=False) if as_json else "\n".join(_run_lines(run)))


# ---------------------------------------------------------------------- reading


def _newest_run() -> Path:
    """Returns the folder of the run in `runs/` that began last."""
    runs = _runs_in(RUNS_FOLDER)
    if not runs:
        raise Misuse(f"There is no run in {RUNS_FOLDER}/: give the folder of a run, as in `thalweg show FOLDER`.")
    return max(runs, key=lambda run: (run / CONFIG).stat().st_mtime)


def _runs_in(folder: Path) -> list[Path]:
    """Returns the folders of runs inside a folder."""
    return sorted(path.parent for path in folder.glob(f"*/{CONFIG}"))


def _read_run(folder: Path) -> _SavedRun:
    """Returns the run in a folder, or raises `Misuse` if there is none or one of its files is damaged."""
    if not folder.is_dir():
        what = f"{folder} is a file: give" if folder.exists() else f"There is no folder {folder}: give"
        raise Misuse(f"{what} the folder of a run.")
    if not any((folder / name).exists() for name in (CONFIG, RESULT, HISTORY)):
        inside = _runs_in(folder)
        if inside:
            raise Misuse(f"{folder} holds several runs: give one of them, as in `thalweg show {inside[-1]}`.")
        raise Misuse(f"{folder} is not a run's folder: it has no {CONFIG}.")
    try:
        config, result = (read_json(folder / name) if (folder / name).exists() else None for name in (CONFIG, RESULT))
        history = read_history(folder / HISTORY) if (folder / HISTORY).exists() else {}
    except ValueError as error:
        raise Misuse(str(error)) from error
    if result is not None and not isinstance(result.get("lines"), list):
        raise Misuse(f"{folder / RESULT} is not from a run: it has no 'lines'.")
    return _SavedRun(folder, config, result, history)


def read_history(path: Path) -> Curves:
    """Returns the columns of a history; an incomplete last row, as a killed run leaves it, is omitted."""
    try:
        text = path.read_text(encoding="utf-8")
        table = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}.") from error
    head, rows = (table[0], table[1:]) if table else ([_STEP_COLUMN], [])
    if _STEP_COLUMN not in head:
        raise ValueError(f"{path} is not a run's history: it has no column {_STEP_COLUMN!r}.")
    columns: Curves = {name: [] for name in head}
    for number, row in enumerate(rows, 2):
        if len(row) != len(head):
            raise ValueError(f"{path}, line {number}: the header has {len(head)} cells, but this row {len(row)}.")
        for name, cell in zip(head, row, strict=True):
            try:
                columns[name].append(float(cell) if cell else None)
            except ValueError:
                raise ValueError(f"{path}, line {number}: {cell!r} is not a number.") from None
    return columns


# ---------------------------------------------------------------------- text


def _run_lines(run: _SavedRun) -> list[str]:
    """Returns the summary, the configuration and the curves as lines of text."""
    width = shutil.get_terminal_size().columns
    out = list(run.result["lines"]) if run.result is not None else [_unfinished(run)]
    asked = [] if run.config is None else config_rows(run.config)
    names = sorted(filter(lambda name: _is_curve(name, run.history[name]), run.history), key=_curve_order)
    drawn = [(_column_title(name), run.history[name]) for name in names]
    indent = 2 + max([11, *(len(name) for name, _ in drawn)]) + 1
    for name, text in asked:
        begin = f"  {name:<{indent - 2}}"
        out += textwrap.wrap(
            text, min(max(width, 40), _MAX_PROSE_WIDTH), initial_indent=begin, subsequent_indent=" " * indent
        )
    if drawn:
        out.append("")
        ends = [range_text(column) for _, column in drawn]
        room = width - indent - max(map(len, ends)) - 2
        for (name, column), end in zip(drawn, ends, strict=True):
            drawing = sparkline(_forward_fill(column), max(_MIN_MARKS, min(room, _MAX_MARKS)), marks_for(sys.stdout))
            out.append(f"  {name:<{indent - 2}}{drawing}  {end}")
    return out


def _unfinished(run: _SavedRun) -> str:
    """Returns a sentence about a run without a result."""
    steps = run.history.get(_STEP_COLUMN, [])
    far = f"its history ends at step {steps[-1]:g}" if steps and steps[-1] is not None else "it has no history yet"
    return f"UNFINISHED: {run.folder} has no {RESULT}, so the run is still going or was killed; {far}."


def config_rows(config: dict) -> list[tuple[str, str]]:
    """Returns names and texts of the settings of a run."""
    named = {"problem": "problem", "settings": "method", "stop": "stop"}
    rows = [(name, as_python(config[key])) for name, key in named.items() if config.get(key) is not None]
    options = {name: value for name, value in config.items() if name not in _NOT_OPTIONS and value is not None}
    return [*rows, ("options", ", ".join(f"{name}={as_python(value)}" for name, value in options.items()))]


def as_python(value: Any) -> str:
    """Returns a configured object as it would be written in Python."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_python, value))}]"
    if not isinstance(value, dict):
        return str(value)
    kind = value.get("type")
    if kind in ("AnyOf", "AllOf"):
        texts = map(as_python, value.get("rules", []))
        texts = [f"({text})" if " | " in text or " & " in text else text for text in texts]
        return (" | " if kind == "AnyOf" else " & ").join(texts)
    if kind is None:  # a value that JSON does not know, such as an infinity, an array or a function, is in a dict
        inner = next(iter(value.values()), "")
        return str(inner) if isinstance(inner, dict) else as_python(inner)
    fields = ", ".join(f"{name}={as_python(v)}" for name, v in value.items() if name != "type")
    return f"{kind}({fields})"


def _is_curve(name: str, column: list[float | None]) -> bool:
    """Whether a column is drawn as a curve."""
    return name not in (_STEP_COLUMN, "epoch") and any(number is not None for number in column)


def _curve_order(name: str) -> tuple[int, bool]:
    """Returns a sort key for curves: the value, the validation and its metrics, then the rest in the file's order."""
    order = ("value", "validation_", "aux_", "optimality", "infeasibility", "step_size")
    return next((i for i, begin in enumerate(order) if name.startswith(begin)), len(order)), name != "validation_value"


def _column_title(name: str) -> str:
    """Returns the name of a column as in the summary."""
    names = {"validation_value": "validation", "step_size": "step size"}
    return names.get(name, name.removeprefix("validation_").removeprefix("aux_").removeprefix("extra_"))


def _forward_fill(column: list[float | None]) -> list[float | None]:
    """Returns the column with gaps filled by the last number, so that all curves have the same steps."""
    return list(itertools.accumulate(column, lambda last, number: last if number is None else number))


def range_text(column: list[float | None]) -> str:
    """Returns the first and the last number of a column, and its extremes if they are elsewhere."""
    found = [number for number in column if number is not None]
    finite = [number for number in found if is_finite_number(number)]
    text = f"{found[0]:.4g} -> {found[-1]:.4g}"
    if finite and min(finite) < min(found[0], found[-1]):
        text += f", lowest {min(finite):.4g}"
    if finite and max(finite) > max(found[0], found[-1]):
        text += f", highest {max(finite):.4g}"
    return text + (" (log)" if spans_decade(found) else "")


# ---------------------------------------------------------------------- JSON


def _as_json_value(run: _SavedRun) -> dict[str, Any]:
    """Returns the run as a value for JSON."""
    columns = {}
    for name, column in run.history.items():
        found = [number for number in column if is_finite_number(number)]
        if found:
            columns[name] = {"first": found[0], "last": found[-1], "lowest": min(found), "highest": max(found)}
    return {
        "folder": str(run.folder),
        "finished": run.result is not None,
        "result": run.result,
        "config": run.config,
        "history": {"rows": len(run.history.get(_STEP_COLUMN, [])), "columns": columns},
    }
