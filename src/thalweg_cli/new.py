"""`thalweg new rule NAME` and `thalweg new solver NAME`: the files of a new method, to be filled in.

What is written works at once: a running mean of the gradients stands where the method will. So every test can be run
from the first minute, and each edit is checked by the twin.
"""

import keyword
import re
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from thalweg_cli.errors import Misuse, unknown_name
from thalweg_cli.templates import ROW, RULE, SOLVER, TWIN

_RULE_HELP = """Write the files of a new rule: its module, its registry row, its twin, a section of its page.

NAME is that of the class. Run it in a checkout of the library. Nothing that exists is overwritten.

\b
  thalweg new rule AdaBelief --family adaptive
"""

_SOLVER_HELP = """Write the files of a new solver: its module, its registry row, its twin, a section of its page.

NAME is that of the class. Run it in a checkout of the library. Nothing that exists is overwritten.

\b
  thalweg new solver RestartedHeavyBall --family first_order
"""

_LINE_LENGTH = 120
"""Columns beyond which an import is wrapped."""


class Family(NamedTuple):
    """Where the methods of a family live: folder, file of the registry, heading there, page."""

    folder: str
    registry: str
    heading: str
    page: str


RULE_FAMILIES = {
    "rules": Family("rules", "rules", "rules", "training.md"),
    "adaptive": Family("rules/adaptive", "adaptive", "adaptive rules", "families/adaptive.md"),
    "layerwise": Family("rules/layerwise", "layerwise", "layer-wise rules", "families/large_and_tuning_free.md"),
    "parameter_free": Family(
        "rules/parameter_free", "layerwise", "layer-wise rules", "families/large_and_tuning_free.md"
    ),
    "matrix": Family("rules/matrix", "matrix", "matrix rules", "families/matrices.md"),
    "wrappers": Family("rules/wrappers", "wrappers", "wrappers", "families/wrappers.md"),
}
"""Name on the command line -> family of rules."""
SOLVER_FAMILIES = {
    "first_order": Family("solvers/first_order", "first_order", "first order", "families/first_order.md"),
    "descent": Family("solvers/descent", "descent", "descent", "families/line-search.md"),
    "trust_region": Family("solvers/trust_region", "trust_region", "trust_region", "families/trust_region.md"),
    "least_squares": Family("solvers/least_squares", "least_squares", "least_squares", "families/least_squares.md"),
    "finite_sum": Family("solvers/finite_sum", "finite_sum", "finite_sum", "families/finite_sum.md"),
    "composite": Family("solvers/composite", "composite", "composite", "families/constrained.md"),
    "constrained": Family("solvers/constrained", "constrained", "constrained", "families/constrained.md"),
    "latent": Family("solvers/latent", "latent", "latent", "families/latent.md"),
    "blackbox": Family("solvers/blackbox", "blackbox", "blackbox", "families/blackbox.md"),
}
"""Name on the command line -> family of solvers."""
_ROW_IMPORTS = {
    "thalweg.registry.claims": ("LinearRate",),
    "thalweg.registry.method": ("Method", "Storage", "Work"),
    "thalweg.registry.space": ("LogUniform", "NearOne"),
}
"""What the template of a row uses."""

commands = typer.Typer(no_args_is_help=True, help="Write the files of a new method.", rich_markup_mode=None)

_NAME = typer.Argument(metavar="NAME", help="The name of the class, e.g. AdaBelief.")
_ROW_NAME = typer.Option("--name", metavar="NAME", help="The name in the registry; made of NAME if left out.")


@commands.command(help=_RULE_HELP)
def rule(
    name: Annotated[str, _NAME],
    family: Annotated[str, typer.Option(help=f"One of {', '.join(RULE_FAMILIES)}.")] = "rules",
    row_name: Annotated[str | None, _ROW_NAME] = None,
) -> None:
    """Writes the files of a new rule."""
    _report(name, RULE_FAMILIES, family, RULE, row_name)


@commands.command(help=_SOLVER_HELP)
def solver(
    name: Annotated[str, _NAME],
    family: Annotated[str, typer.Option(help=f"One of {', '.join(SOLVER_FAMILIES)}.")] = "first_order",
    row_name: Annotated[str | None, _ROW_NAME] = None,
) -> None:
    """Writes the files of a new solver."""
    _report(name, SOLVER_FAMILIES, family, SOLVER, row_name)


def _report(name: str, families: dict[str, Family], family: str, template: str, row_name: str | None) -> None:
    """Writes the files and says which, or what is wrong with what was typed."""
    try:
        if family not in families:
            raise unknown_name("family", family, families)
        written = _write_method(Path.cwd(), name, families[family], template, row_name or kebab(name))
    except Misuse as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo("\n".join(written))


def kebab(name: str) -> str:
    """`AdaBelief` as `ada-belief`: a name in the registry."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _write_method(root: Path, name: str, family: Family, template: str, row_name: str) -> list[str]:
    """Writes a method's files below the root of a checkout; returns what was done and what is left to do, in lines."""
    if not name.isidentifier() or keyword.iskeyword(name) or not name[0].isupper():
        raise Misuse(f"NAME {name!r} is no name of a class: write it in CapWords, e.g. AdaBelief.")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", row_name):
        raise Misuse(f"--name {row_name!r}: write lower-case words joined by hyphens, e.g. ada-belief.")
    registry = root / "src" / "thalweg" / "registry" / f"{family.registry}.py"
    page = root / "docs" / family.page
    for file in (registry, page):
        if not file.is_file():
            raise Misuse(f"There is no {file.relative_to(root)} here: go to the root of a checkout of the library.")
    stem = row_name.replace("-", "_")
    module = root / "src" / "thalweg" / family.folder / f"{stem}.py"
    twin = root / "tests" / "twins" / f"{stem}.py"
    for file in (module, twin):
        if file.exists():
            raise Misuse(f"{file.relative_to(root)} exists: choose another NAME, or another --name.")
    dotted = f"thalweg.{family.folder.replace('/', '.')}.{stem}"
    row = ROW.format(cls=name, name=row_name, heading=family.heading)
    new_registry = add_row(registry.read_text(encoding="utf-8"), row, {dotted: (name,), **_ROW_IMPORTS})
    for file, text in ((module, template.replace("CLASS", name)), (twin, TWIN.format(cls=name))):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    registry.write_text(new_registry, encoding="utf-8")
    with page.open("a", encoding="utf-8") as stream:
        stream.write(f"\n## `tw.{name}`\n\nWhat it does, when to use it, and what to set first.\n")
    return [
        *(f"written  {file.relative_to(root)}" for file in (module, twin)),
        *(f"extended {file.relative_to(root)}" for file in (registry, page)),
        "",
        f"Left to do: name {name} in src/thalweg/__init__.py; put the iteration into module and twin, the facts into",
        "the row; then",
        f"  pytest tests/battery tests/twins tests/rates -k '{row_name} or whole_registry'",
        "  python tools/method_table.py",
    ]


def add_row(text: str, row: str, imports: dict[str, tuple[str, ...]]) -> str:
    """A file of the registry with one row more at its end, and with what the row uses."""
    body = text.rstrip()
    if not body.endswith(")"):
        raise Misuse("The file of the registry does not end with its tuple of rows: add the row by hand.")
    text = f"{body[:-1]}{row})\n"
    for module, names in imports.items():
        text = _with_import(text, module, names)
    return text


def _with_import(text: str, module: str, names: tuple[str, ...]) -> str:
    """A file that imports these names too, in the order of modules and names that the formatter keeps."""
    pattern = re.compile(rf"^from {re.escape(module)} import (?:\(([^)]*)\)|(.*))\n", re.MULTILINE)
    found = pattern.search(text)
    have = re.split(r"[,\s]+", (found[1] or found[2]).strip(", \n")) if found else []
    merged = sorted({*have, *names}, key=lambda name: (not name.isupper(), not name[0].isupper(), name.lower()))
    line = f"from {module} import {', '.join(merged)}\n"
    if len(line) > _LINE_LENGTH:
        line = f"from {module} import (\n" + "".join(f"    {name},\n" for name in merged) + ")\n"
    if found:
        return text[: found.start()] + line + text[found.end() :]
    ours = list(re.finditer(r"^from (thalweg\.[\w.]+) import (?:\([^)]*\)|.*)\n", text, re.MULTILINE))
    after = [match for match in ours if match[1] < module]
    at = after[-1].end() if after else ours[0].start()
    return text[:at] + line + text[at:]
