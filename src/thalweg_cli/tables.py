"""The commands `thalweg methods` and `thalweg problems`: the registry and the zoo as tables or as JSON."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from thalweg.problems import JOBS, Known, digits
from thalweg.registry import METHODS, Method
from thalweg_cli.errors import unknown_name
from thalweg_cli.settings import find_method

_PIPE_WIDTH = 1000
"""The width of an output that is not a terminal, in which nothing is cut, so that it can be searched."""

_MIN_COLUMN_WIDTH = 20
"""The smallest width to which a column of text may be folded."""

_TableRow = dict[str, Any]


def _method_row(row: Method) -> _TableRow:
    """Returns the table row of a method."""
    solver = row.solver()
    return {
        "name": row.name,
        "family": row.family,
        "needs": sorted(oracle.value for oracle in solver.needs),
        "takes": sorted(oracle.value for oracle in solver.takes),
        "cost": row.cost,
        "memory": row.memory,
        "claim": row.claim.words,
        "year": row.year,
        "reference": row.reference,
        "python": f"tw.{row.make.__name__}",
        "summary": row.summary,
        "solves": list(row.solves),
    }


def _problem_rows() -> list[_TableRow]:
    """Returns the table rows of all problems; data sets are not loaded."""
    rows = []
    for name, make in JOBS.items():
        row: _TableRow = {"name": name, "variables": None, "minimum": None, "L": None, "mu": None}
        if make is not digits:
            known = make()
            row["variables"] = sum(np.size(leaf) for leaf in jax.tree.leaves(known.x0))
            row["minimum"] = _finite_or_none(known.minimum)
            if isinstance(known, Known):
                row["L"], row["mu"] = _finite_or_none(known.smoothness), _finite_or_none(known.convexity)
        row["reached by"] = [method.name for method in METHODS.values() if name in method.solves]
        row["summary"] = (make.__doc__ or "").strip().splitlines()[0]
        rows.append(row)
    return rows


def _finite_or_none(value: float) -> float | None:
    """Returns `value`, or None for NaN and infinity, which JSON does not know."""
    return value if np.isfinite(value) else None


def show_methods(name: str | None, as_json: bool) -> None:
    """Prints all methods as a table, or all details of one."""
    if name is not None:
        _print_card(_method_row(find_method(name)), as_json)
        return
    rows = [_method_row(row) for row in METHODS.values()]
    columns = ("name", "family", "needs", "takes", "cost", "memory", "claim", "year", "reference")
    _print_table(rows, columns, as_json, "thalweg methods NAME")


def show_problems(name: str | None, as_json: bool) -> None:
    """Prints all problems as a table, or all details of one."""
    rows = _problem_rows()
    if name is None:
        _print_table(rows, tuple(rows[0]), as_json, "thalweg problems NAME")
    elif name not in JOBS:
        raise unknown_name("problem", name, JOBS)
    else:
        _print_card(next(row for row in rows if row["name"] == name), as_json)


def _print_table(rows: list[_TableRow], columns: Sequence[str], as_json: bool, more: str) -> None:
    """Prints a table with as many columns, from the left, as fit into the terminal."""
    if as_json:
        print(json.dumps(rows))
        return
    out = _console()
    texts = [[_cell_text(row[column]) for row in rows] for column in columns]
    room, shown = out.width, 0
    for column, text in zip(columns, texts, strict=True):
        room -= min(max(map(len, [column, *text])), _MIN_COLUMN_WIDTH) + 2
        if room < 0:
            break
        shown += 1
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, row_styles=["", "dim"])
    for column, text in zip(columns[:shown], texts, strict=False):
        longest = max(map(len, [column, *text]))
        table.add_column(column, min_width=min(longest, _MIN_COLUMN_WIDTH), overflow="fold")
    for row in zip(*texts[:shown], strict=True):
        table.add_row(*row)
    out.print(table, markup=False)
    if shown < len(columns):
        out.print(f"Not shown, because the terminal is too narrow: {', '.join(columns[shown:])}.", markup=False)
        out.print(f"`{more}` shows all details of one.", markup=False)


def _print_card(row: _TableRow, as_json: bool) -> None:
    """Prints all details of one row."""
    if as_json:
        print(json.dumps(row))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in row.items():
        table.add_row(name, _cell_text(value))
    _console().print(table, markup=False)


def _console() -> Console:
    """Returns a console for the standard output, without a limit on its width if that is not a terminal."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_PIPE_WIDTH)


def _cell_text(value: Any) -> str:
    """Returns the value of a cell as text."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
