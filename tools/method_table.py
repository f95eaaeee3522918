"""Writes docs/methods.md from the registry; `--check` only compares."""

import argparse
import pathlib
import sys

from thalweg.core.solver import Solver
from thalweg.registry import METHODS, Method
from thalweg.registry.method import in_words

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "methods.md"
HEAD = """# The methods

Made from the registry by `python tools/method_table.py`. n is the number of variables; memory is beside `x` and one
gradient. A method needs what its problem must offer, and takes the parts that it does not ignore. Every claim is
measured by the tests on the problem that it names.
"""


def oracles(names: frozenset) -> str:
    """Sorted names."""
    return ", ".join(sorted(oracle.value for oracle in names)) or "–"


def entry(row: Method) -> str:
    """One method's section."""
    solver: Solver = row.solver()
    facts = {
        "Needs": oracles(solver.needs),
        "Takes": oracles(solver.takes),
        "Cost of a step": row.cost,
        "Memory": row.memory,
        "Measured": in_words(row.claim),
        "Solves": ", ".join(f"`{name}`" for name in row.solves),
        "Reference": row.reference,
    }
    lines = [f"### `tw.{row.make.__name__}` · `{row.name}`", "", row.summary, "", "| | |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {text} |" for name, text in facts.items()])


def page() -> str:
    """The whole page, one section a family, and the chronology."""
    parts = [HEAD]
    for family in dict.fromkeys(row.family for row in METHODS.values()):
        parts.append(f"## {family.capitalize()}\n")
        parts += [entry(row) + "\n" for row in METHODS.values() if row.family == family]
    years = sorted(METHODS.values(), key=lambda row: row.year)
    parts.append(
        "## Chronology\n\n| year | method |\n|---|---|\n"
        + "\n".join(f"| {r.year} | {r.make.__name__} |" for r in years)
    )
    return "\n".join(parts) + "\n"


def main() -> int:
    """Writes the page, or says that it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if the page is out of date")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print("docs/methods.md is out of date: run python tools/method_table.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
