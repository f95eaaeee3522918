"""Checks docstrings against signatures: `python -m tools.docstrings [folder]`, by default src.

An item such as "- `a`, `b`: ..." (or "`b`: ..." behind it, at the start of a sentence) must name arguments of the
function, or fields, properties or arguments of the class, that it documents. The docstring of whatever a package
exports must mention every field and every argument by its name.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.modules import Definition, Finding, Function

NAMES = r"`\w+`(?:(?:,| and|, and| or) `\w+`)*"
ITEM = re.compile(rf"(?:^|(?<=^- )|(?<=[.;!?)] ))({NAMES})(?: \([^()]*\))?:(?= |$)")
"""The names before a colon, where an item or a sentence begins."""
MATHEMATICS = re.compile(r"\\\(.*?\\\)|\\\[.*?\\\]", re.DOTALL)


class Place(NamedTuple):
    """A definition of a file."""

    path: Path
    node: Definition


def paragraphs(text: str) -> Iterator[str]:
    """Every paragraph and every item of a list on one line, without its fenced blocks."""
    current: list[str] = []
    fenced = False
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("```"):
            fenced = not fenced
        if current and (not line or line.startswith("- ")):
            yield " ".join(current)
            current = []
        if line and not fenced:
            current.append(line)
    if current:
        yield " ".join(current)


def items(text: str) -> Iterator[str]:
    """The names that stand before a colon in a docstring."""
    for paragraph in paragraphs(text):
        for match in ITEM.finditer(paragraph):
            yield from re.findall(r"`(\w+)`", match[1])


def mentioned(text: str) -> set[str]:
    """The words of a docstring, in code or not, without its formulas."""
    return set(re.findall(r"\w+", MATHEMATICS.sub(" ", text)))


def arguments(node: Function) -> list[str]:
    """Every argument but the first of a method, and what begins with an underscore."""
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    return [arg.arg for arg in given if arg is not None and arg.arg not in ("self", "cls") and arg.arg[0] != "_"]


def fields(node: ast.ClassDef) -> list[str]:
    """The annotated fields that an instance has, but those that begin with an underscore."""
    named = [part for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)]
    own = [part.target.id for part in named if "ClassVar" not in ast.unparse(part.annotation)]  # pyright: ignore
    return [name for name in own if name[0] != "_"]


def initializer(node: ast.ClassDef) -> list[str]:
    """The arguments of a class that writes its own `__init__`."""
    return [
        name for part in node.body if isinstance(part, Function) and part.name == "__init__" for name in arguments(part)
    ]


def members(node: ast.ClassDef) -> set[str]:
    """Everything that a class's docstring may describe: fields, attributes, methods, arguments."""
    found = {*fields(node), *initializer(node)}
    for part in ast.walk(node):
        if isinstance(part, Function):
            found.add(part.name)
        elif isinstance(part, ast.Assign):
            targets = [target for whole in part.targets for target in ast.walk(whole)]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
            found |= {target.attr for target in targets if isinstance(target, ast.Attribute)}
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name | ast.Attribute):
            found.add(part.target.id if isinstance(part.target, ast.Name) else part.target.attr)
    return found


def parents(node: ast.ClassDef) -> list[str]:
    """The names of a class's parents: `core.Solver[State]` gives `Solver`."""
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
    return [ast.unparse(base).rpartition(".")[2] for base in bases]


def described(place: Place, classes: dict[str, Place]) -> set[str]:
    """What the items of a definition's docstring may name."""
    if isinstance(place.node, Function):
        return set(arguments(place.node))
    inherited = [classes[name] for name in parents(place.node) if name in classes]
    return members(place.node).union(
        *(members(parent.node) for parent in inherited if isinstance(parent.node, ast.ClassDef))
    )


def listed(tree: ast.Module) -> tuple[bool, set[str] | None]:
    """Whether a module has an `__all__`, and the names in it; None where they are computed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and "__all__" in {
            name.id for name in ast.walk(node) if isinstance(name, ast.Name)
        }:
            entries = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else []
            words = {str(entry.value) for entry in entries if isinstance(entry, ast.Constant)}
            return True, words or None
    return False, None


def exported(trees: dict[str, ast.Module]) -> set[tuple[str, str]]:
    """Module and name of what the packages pass on to their users: what an `__init__` with `__all__` imports.

    A module that a package passes on as a whole (`from thalweg import losses`) passes on what it defines.
    """
    found: set[tuple[str, str]] = set()
    for tree in trees.values():
        has_list, names = listed(tree)
        for part in ast.walk(tree) if has_list else ():
            for alias in part.names if isinstance(part, ast.ImportFrom) else ():
                if names is not None and (alias.asname or alias.name) not in names:
                    continue
                found.add((part.module or "", alias.name))
                module = f"{part.module}.{alias.name}"
                inside = trees[module].body if module in trees else []
                found |= {
                    (module, node.name) for node in inside if isinstance(node, Definition) and node.name[0] != "_"
                }
    return found


def definitions(path: Path, tree: ast.Module) -> Iterator[Place]:
    """The functions, classes and methods of a file."""
    return (Place(path, node) for node in ast.walk(tree) if isinstance(node, Definition))


def check(place: Place, classes: dict[str, Place], public: bool) -> Iterator[Finding]:
    """The findings about one definition."""
    path, node = place
    text = ast.get_docstring(node) or ""
    known = described(place, classes)
    kind = "argument" if isinstance(node, Function) else "field"
    for name in dict.fromkeys(items(text)):
        if name not in known:
            yield Finding(path, node.lineno, f"{node.name}: the docstring describes `{name}`, which is no {kind} of it")
    if public:
        own = (
            arguments(node) if isinstance(node, Function) else list(dict.fromkeys([*fields(node), *initializer(node)]))
        )
        said = mentioned(text)
        for name in own:
            if name not in said:
                yield Finding(path, node.lineno, f"{node.name}: the docstring says nothing of the {kind} `{name}`")


def module_name(path: Path) -> str:
    """The dotted name of a file, relative to the folder of its package."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def check_folder(folder: Path) -> tuple[int, list[Finding]]:
    """How many files there are, and the findings."""
    paths = {module_name(path.relative_to(folder)): path for path in sorted(folder.rglob("*.py"))}
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in paths.items()}
    places = {name: list(definitions(paths[name], tree)) for name, tree in trees.items()}
    classes = {place.node.name: place for found in places.values() for place in found}
    public = exported(trees)
    findings: list[Finding] = []
    for name, found in places.items():
        top = {id(node) for node in trees[name].body}
        for place in found:
            findings += check(place, classes, id(place.node) in top and (name, place.node.name) in public)
    return len(trees), sorted(findings)


def main(given: list[str]) -> int:
    """Prints the findings; 1 if there are any, or nothing was found to check."""
    files, findings = check_folder(Path(given[0]) if given else Path("src"))
    for finding in findings:
        print(finding)
    print(f"{files} files, {len(findings)} findings")
    return int(bool(findings) or files == 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
