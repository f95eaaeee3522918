"""A file of rows that grows, one row a step: `.csv` or `.jsonl`."""

import contextlib
import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from thalweg.run.files import write_text

Row = dict[str, Any]
"""Name -> number, None where nothing was measured; `step` comes first."""
Columns = dict[str, list]
"""Name -> such numbers, of one row after the other."""

STEP = "step"

_CSV, _JSONL = ".csv", ".jsonl"


def check_path(path: Path) -> None:
    """One sentence where rows cannot be written to `path`; nothing is left there."""
    if path.suffix not in (_CSV, _JSONL):
        raise ValueError(f"{str(path)!r} is no name for a history: it must end in .csv or .jsonl.")
    is_new = not path.exists()
    try:
        path.open("a", encoding="utf-8").close()
        if is_new:
            path.unlink()
        lines = _lines_in(path)[:2]
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be written: {error.strerror}; name another file.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(path)!r} is no text file: name another one for the history.") from error
    if path.suffix == _CSV and lines and lines[0].split(",")[0].strip() != STEP:
        raise ValueError(f"{str(path)!r} has no column 'step', so it is no history: name another file.")
    for number, line in enumerate(lines, 1):
        if path.suffix == _JSONL or number > 1:
            _step_of(path, number, line)


def _lines_in(path: Path) -> list[str]:
    """The lines of a file with their ends; without the last one where it was not finished."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(file)
    return lines[:-1] if lines and not lines[-1].endswith("\n") else lines


def _step_of(path: Path, number: int, line: str) -> int:
    """The step of a row; a `ValueError` in one sentence where it has none."""
    try:
        return int(line.split(",", 1)[0] if path.suffix == _CSV else json.loads(line)[STEP])
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"{path}, line {number}: that is no row of a history, which begins with its step.") from error


class Table:
    """Opens the file at `path` with those of its rows that come before step `first`, and adds rows to it.

    In a CSV file a column that turns up later is empty in the rows above.
    """

    def __init__(self, path: Path, first: int):
        self.path = path
        lines = _lines_in(path)
        head, body = (lines[:1], lines[1:]) if path.suffix == _CSV else ([], lines)
        kept = [line for number, line in enumerate(body, len(head) + 1) if _step_of(path, number, line) < first]
        self.columns = next(csv.reader(head)) if kept and head else []
        write_text(path, "".join([*head, *kept]) if kept else "")
        self.file = path.open("a", encoding="utf-8", newline="")

    def add(self, columns: Columns) -> None:
        """Writes rows at the end; they are on disk when it returns."""
        if self.path.suffix == _CSV:
            self.widen(list(columns))
            blank = [None] * len(columns[STEP])
            text = _csv_lines(zip(*(columns.get(name, blank) for name in self.columns), strict=True))
        else:
            rows = zip(*columns.values(), strict=True)
            text = "".join(json.dumps(dict(zip(columns, map(_finite, row), strict=True))) + "\n" for row in rows)
        self.file.write(text)
        self.file.flush()

    def widen(self, names: list[str]) -> None:
        """Adds columns that are new to the head of the file, and empty cells to the rows above."""
        new = [name for name in names if name not in self.columns]
        if not new:
            return
        body = _lines_in(self.path)[1:]
        self.columns += new
        padded = (line.rstrip("\r\n") + "," * len(new) + "\n" for line in body)
        self.file.close()
        write_text(self.path, "".join([_csv_lines([self.columns]), *padded]))
        self.file = self.path.open("a", encoding="utf-8", newline="")

    def close(self) -> None:
        """Gives the file back; what a full disk did not take is lost."""
        with contextlib.suppress(OSError):
            self.file.close()


def _csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """Rows of cells as text; None is an empty cell."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _finite(value: Any) -> Any:
    """The value, or None where JSON has no number for it."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
