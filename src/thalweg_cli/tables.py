"""`thalweg methods` and `thalweg problems`: the registry and the zoo as tables, cards or JSON."""

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
from thalweg_cli.errors import unknown
from thalweg_cli.settings import find_method

WIDE = 1000
"""Columns of an output that is no terminal: nothing is cut, so that it can be searched."""

NARROWEST = 20
"""Characters to which a column of prose may be folded."""

Row = dict[str, Any]


def method_row(row: Method) -> Row:
    """What the registry says of a method."""
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


def problem_rows() -> list[Row]:
    """What is known of every problem; data sets are not loaded for it."""
    rows = []
    for name, make in JOBS.items():
        row: Row = {"name": name, "variables": None, "minimum": None, "L": None, "mu": None}
        if make is not digits:
            known = make()
            row["variables"] = sum(np.size(leaf) for leaf in jax.tree.leaves(known.x0))
            row["minimum"] = finite(known.minimum)
            if isinstance(known, Known):
                row["L"], row["mu"] = finite(known.smoothness), finite(known.convexity)
        row["reached by"] = [method.name for method in METHODS.values() if name in method.solves]
        row["summary"] = (make.__doc__ or "").strip().splitlines()[0]
        rows.append(row)
    return rows


def finite(value: float) -> float | None:
    """`value`, or None for what JSON has no number for."""
    return value if np.isfinite(value) else None


def show_methods(name: str | None, as_json: bool) -> None:
    """All methods as a table, or one of them in full."""
    if name is not None:
        show_card(method_row(find_method(name)), as_json)
        return
    rows = [method_row(row) for row in METHODS.values()]
    columns = ("name", "family", "needs", "takes", "cost", "memory", "claim", "year", "reference")
    show(rows, columns, as_json, "thalweg methods NAME")


def show_problems(name: str | None, as_json: bool) -> None:
    """All problems as a table, or one of them in full."""
    rows = problem_rows()
    if name is None:
        show(rows, tuple(rows[0]), as_json, "thalweg problems NAME")
    elif name not in JOBS:
        raise unknown("problem", name, JOBS)
    else:
        show_card(next(row for row in rows if row["name"] == name), as_json)


def show(rows: list[Row], columns: Sequence[str], as_json: bool, more: str) -> None:
    """A table with as many of the columns, from the left, as the terminal has room for."""
    if as_json:
        print(json.dumps(rows))
        return
    out = console()
    texts = [[cell(row[column]) for row in rows] for column in columns]
    room, shown = out.width, 0
    for column, text in zip(columns, texts, strict=True):
        room -= min(max(map(len, [column, *text])), NARROWEST) + 2
        if room < 0:
            break
        shown += 1
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, row_styles=["", "dim"])
    for column, text in zip(columns[:shown], texts, strict=False):
        longest = max(map(len, [column, *text]))
        table.add_column(column, min_width=min(longest, NARROWEST), overflow="fold")
    for row in zip(*texts[:shown], strict=True):
        table.add_row(*row)
    out.print(table, markup=False)
    if shown < len(columns):
        out.print(f"Not shown for want of room: {', '.join(columns[shown:])}; `{more}` shows all of one.", markup=False)


def show_card(row: Row, as_json: bool) -> None:
    """Everything about one row."""
    if as_json:
        print(json.dumps(row))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in row.items():
        table.add_row(name, cell(value))
    console().print(table, markup=False)


def console() -> Console:
    """The standard output; without a terminal wide enough for everything."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=WIDE)


def cell(value: Any) -> str:
    """A value as text."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
