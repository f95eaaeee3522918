"""Writes docs/methods.md from the registry; `--check` only compares."""

import argparse
import pathlib
import sys

from thalweg.core.solver import Solver
from thalweg.registry import METHODS, WITHOUT_ROW, Method
from thalweg.registry.space import LogUniform, NearOne, OneOf, WholeNumbers

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "methods.md"
HEAD = """# The methods

Made from the registry by `python tools/method_table.py`. n is the number of variables, m that of examples or residuals;
memory is beside `x` and one gradient. A method needs what its problem must offer, and takes the parts that it does not
ignore. Every claim is measured by the tests on the problem that it names, and the memory from step to step is compared
with the state's. A search space is where a fair comparison looks for hyperparameters; what is not in it keeps its
default. [Which of them at a glance](#at-a-glance); [in order of their years](#chronology).
"""

N, N_LARGE, M, BYTES, GIGA = 1_000, 1_000_000, 1_000, 4, 1e9
"""Variables, and examples, for which the comparison is made; bytes of a float32."""
GLANCE = f"""## At a glance

What a step takes at least, with {N:,} variables and {M:,} examples: evaluations in passes over the data, operations
beside them and numbers held (inside a step too) for each variable; then gigabytes held with {N_LARGE:,} variables in
float32. Where their shape matters the variables are one square matrix. From the formulas of the registry.

| method | values | gradients | Hessian-vector products | proxes | operations / n | held / n | GB at 10⁶ | year |
|---|---|---|---|---|---|---|---|---|
"""
LAYOUTS = {LogUniform: " (logarithmic)", NearOne: " (logarithmic in the distance to 1)", WholeNumbers: " (whole)"}
"""How a range is laid out, where it is not uniform."""


def oracles(names: frozenset) -> str:
    """Sorted names."""
    return ", ".join(sorted(oracle.value for oracle in names)) or "–"


def span(ends: tuple) -> str:
    """A range of the search space: from, to, and how it is laid out."""
    if isinstance(ends, OneOf):
        return " or ".join(f"`{option}`" for option in ends.options)
    low, high = (f"{end:g}" for end in ends)
    return f"{low} to {high}{LAYOUTS.get(type(ends), '')}"


def namesake(row: Method) -> str:
    """Who else has the method."""
    return row.namesake if isinstance(row.namesake, str) else "Optax"


def entry(row: Method) -> str:
    """One method's section."""
    solver: Solver = row.solver()
    facts = {
        "Needs": oracles(solver.needs),
        "Takes": oracles(solver.takes),
        "Cost of a step": row.cost,
        "Memory": row.memory,
        "Measured": row.claim.words,
        "Solves": ", ".join(f"`{name}`" for name in row.solves),
        "Convention": row.convention,
        "Search space": ", ".join(f"`{name}` {span(ends)}" for name, ends in row.space.items()),
        "Also in": namesake(row),
        "Reference": row.reference,
    }
    lines = [f"### `tw.{row.make.__name__}` · `{row.name}`", "", row.summary, "", "| | |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {text} |" for name, text in facts.items() if text])


def short(number: float) -> str:
    """A number of evaluations or gigabytes with at most three digits."""
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}" if number else "–"


def glance(row: Method) -> str:
    """One line of the comparison."""
    work, small, large = row.work.at(N, M), row.storage.at(N, M), row.storage.at(N_LARGE, M)
    passes = [short(work[name]) for name in ("value", "gradient", "hvp", "prox")]
    held = short(sum(small.values()) / N), short(sum(large.values()) * BYTES / GIGA)
    return f"| {row.label} | {' | '.join(passes)} | {short(work['flops'] / N)} | {' | '.join(held)} | {row.year} |"


def without_row() -> str:
    """Public methods that have no row, and why."""
    return "\n".join(f"- `tw.{name}`: {reason}." for name, reason in WITHOUT_ROW.items())


def page() -> str:
    """The whole page, one section a family, the comparison and the chronology."""
    parts = [HEAD]
    for family in dict.fromkeys(row.family for row in METHODS.values()):
        parts.append(f"## {family.capitalize()}\n")
        parts += [entry(row) + "\n" for row in METHODS.values() if row.family == family]
    parts.append("## Without a section\n\n" + without_row() + "\n")
    parts.append(GLANCE + "\n".join(glance(row) for row in METHODS.values()) + "\n")
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
