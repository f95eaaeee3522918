"""Checks the house rules on size and shape: `python -m tools.sizes [folder]`, by default src.

A comment `# sizes: reason` on the `def` or `class` line, or on the line above it, exempts that
function or class; there are at most ten.
"""

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.modules import Definition, Finding, Function

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
MAX_DEPTH = 2  # nested functions inside a function or method
MAX_ARGUMENTS = 4  # of a protocol method, positional, besides self
MAX_EXEMPTIONS = 10
PROTOCOL = frozenset({"init", "step", "update", "__call__", "prox", "value"})
FORBIDDEN_CALLS = frozenset({"super", "hasattr"})

LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


class Source(NamedTuple):
    """One file, read once."""

    path: Path
    lines: int
    tree: ast.Module
    code: frozenset[int]  # the lines that hold code: no comment, blank line or docstring
    reasons: dict[int, str]  # line of an exemption -> its reason


class Place(NamedTuple):
    """A definition and what stands around it."""

    node: Definition
    owner: Definition | None
    depth: int  # functions around it, back to the nearest class or the module


def docstring_lines(tree: ast.Module) -> set[int]:
    """The lines taken by docstrings."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | Definition) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def read(path: Path) -> Source:
    """Parses one file."""
    with tokenize.open(path) as file:
        text = file.read()
    tree = ast.parse(text, str(path))
    code: set[int] = set()
    reasons: dict[int, str] = {}
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in LAYOUT:
                code.update(range(token.start[0], token.end[0] + 1))
            elif match := re.match(r"#\s*sizes:\s*(\S.*)", token.string):
                reasons[token.start[0]] = match[1]
    return Source(path, len(text.splitlines()), tree, frozenset(code - docstring_lines(tree)), reasons)


def places(node: ast.AST, owner: Definition | None = None, depth: int = 0) -> Iterator[Place]:
    """Every definition below `node`, outer ones first."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield Place(child, owner, depth)
            yield from places(child, child, depth + 1 if isinstance(child, Function) else 0)
        else:
            yield from places(child, owner, depth)


def exemption(source: Source, node: Definition) -> Finding | None:
    """The exemption of a definition, if it has one."""
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    for line in (node.lineno, first - 1):
        if line in source.reasons:
            return Finding(source.path, node.lineno, f"{node.name} is exempt: {source.reasons[line]}")
    return None


def positional(node: Function) -> int:
    """How many positional arguments a method takes besides `self`."""
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    return len(node.args.posonlyargs) + len(node.args.args) - (0 if static else 1)


def check_function(place: Place, code: frozenset[int]) -> Iterator[str]:
    """Length, depth and, for a method of a protocol, arguments."""
    node = place.node
    assert isinstance(node, Function)
    length = sum(node.lineno <= line <= (node.end_lineno or 0) for line in code)
    if length > MAX_FUNCTION_LINES:
        yield f"{node.name} has {length} code lines, at most {MAX_FUNCTION_LINES}"
    if place.depth > MAX_DEPTH:
        yield f"{node.name} is nested {place.depth} deep, at most {MAX_DEPTH}"
    is_protocol = isinstance(place.owner, ast.ClassDef) and node.name in PROTOCOL
    if is_protocol and (count := positional(node)) > MAX_ARGUMENTS:
        yield f"{node.name} takes {count} positional arguments besides self, at most {MAX_ARGUMENTS}"


def calls(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Calls of forbidden names below `node`, not inside a definition of its own."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            continue
        called = child.func if isinstance(child, ast.Call) else None
        if isinstance(called, ast.Name) and called.id in FORBIDDEN_CALLS:
            yield child.lineno, f"{called.id}() is called; variation is a field, not a parent or a guess"
        yield from calls(child)


def base_names(node: ast.ClassDef) -> list[str]:
    """The names of a class's parents: `core.Solver[State]` gives `Solver`."""
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
    return [ast.unparse(base).rpartition(".")[2] for base in bases]


def class_bases(sources: list[Source]) -> dict[str, list[str]]:
    """Every class of the package -> the names of its parents."""
    found: dict[str, list[str]] = {}
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).extend(base_names(node))
    return found


def check_class(node: ast.ClassDef, bases: dict[str, list[str]]) -> Iterator[str]:
    """A parent from this package has no parent from this package."""
    for parent in base_names(node):
        if grandparents := [name for name in bases.get(parent, []) if name in bases]:
            yield f"{node.name} is two levels deep: {parent} is itself a {grandparents[0]}"


def check(source: Source, bases: dict[str, list[str]]) -> tuple[list[Finding], list[Finding]]:
    """The violations and the exemptions of one file."""
    violations = [Finding(source.path, *call) for call in calls(source.tree)]
    exemptions = []
    if source.lines > MAX_FILE_LINES:
        violations.append(Finding(source.path, 1, f"{source.lines} lines, at most {MAX_FILE_LINES}"))
    for place in places(source.tree):
        node = place.node
        if exempt := exemption(source, node):
            exemptions.append(exempt)
            continue
        is_class = isinstance(node, ast.ClassDef)
        messages = check_class(node, bases) if is_class else check_function(place, source.code)
        violations += [Finding(source.path, node.lineno, message) for message in messages]
        violations += [Finding(source.path, *call) for call in calls(node)]
    return sorted(violations), exemptions


def check_folder(folder: Path) -> tuple[int, list[Finding], list[Finding]]:
    """How many files there are, their violations and their exemptions."""
    sources = [read(path) for path in sorted(folder.rglob("*.py"))]
    bases = class_bases(sources)
    results = [check(source, bases) for source in sources]
    violations = [finding for found, _ in results for finding in found]
    exemptions = [finding for _, found in results for finding in found]
    for path, line, _ in exemptions[MAX_EXEMPTIONS:]:
        violations.append(Finding(path, line, f"one exemption too many, at most {MAX_EXEMPTIONS}"))
    return len(sources), violations, exemptions


def main(arguments: list[str]) -> int:
    """Prints the findings; 1 if a rule is broken or nothing was found to check."""
    folder = Path(arguments[0]) if arguments else Path("src")
    files, violations, exemptions = check_folder(folder)
    for finding in [*violations, *exemptions]:
        print(finding)
    print(f"{files} files, {len(violations)} violations, {len(exemptions)} exemptions")
    return int(bool(violations) or files == 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
