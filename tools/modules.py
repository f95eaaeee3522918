"""The modules of `src` and the files that use them: what each defines, what it imports, and who uses which name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

USERS = ("tests", "tools", "benchmarks", "examples")
"""Folders beside `src` whose files may use a name of it."""
PASSED_ON = 10
"""Most packages through which a name is followed to its definition."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


class Finding(NamedTuple):
    """A message about a line."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class Name(NamedTuple):
    """A name and the module in which it stands; with an empty `name` the module itself."""

    module: str
    name: str


class Module(NamedTuple):
    """A file of Python: what it defines at its top (name -> node), and what it imports (name -> where that stands)."""

    path: Path
    tree: ast.Module
    nodes: list[ast.AST]
    defined: dict[str, ast.stmt]
    imported: dict[str, Name]


class Project(NamedTuple):
    """The modules of `src` by name, and the files beside it that may use them."""

    root: Path
    modules: dict[str, Module]
    users: list[Module]


def stored(node: ast.AST) -> Iterator[str]:
    """The names that a target of an assignment binds."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def definitions(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """What statements define for their module, inside `if` and `try` too; names like `__all__` aside."""
    for node in body:
        if isinstance(node, Definition):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from ((name, node) for name in stored(target) if not re.fullmatch(r"__\w+__", name))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from definitions(getattr(node, part, []))


def imports(nodes: list[ast.AST]) -> Iterator[tuple[str, Name]]:
    """What a file imports, anywhere in it."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, Name(node.module or "", alias.name)) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                yield (alias.asname, Name(alias.name, "")) if alias.asname else (first, Name(first, ""))
        elif isinstance(node, ast.Assign) and (path := loaded(node.value)):
            yield from ((name, Name(path, "")) for target in node.targets for name in stored(target))


def loaded(node: ast.expr) -> str:
    """The module of `importlib.import_module("...")`; empty for anything else."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
        path = node.args[0]
        return path.value if isinstance(path, ast.Constant) and isinstance(path.value, str) else ""
    return ""


def read(path: Path) -> Module:
    """One file."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    nodes = list(ast.walk(tree))
    return Module(path, tree, nodes, dict(definitions(tree.body)), dict(imports(nodes)))


def dotted(path: Path) -> str:
    """The name of a module from its path below the folder of its package."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_project(root: Path) -> Project:
    """Everything below `root`."""
    source = root / "src"
    modules = {dotted(path.relative_to(source)): read(path) for path in sorted(source.rglob("*.py"))}
    users = [read(path) for folder in USERS for path in sorted((root / folder).rglob("*.py"))]
    return Project(root, modules, users)


def resolve(modules: dict[str, Module], where: Name) -> Name | None:
    """Where a name is defined that a package may only pass on; None if it is not ours."""
    for _ in range(PASSED_ON):
        module, name = where
        if module not in modules:
            return None
        here = modules[module]
        if not name or name in here.defined:
            return where
        passed = here.imported.get(name, where)
        where = passed if passed != where else Name(f"{module}.{name}", "")
    return None


def chain(node: ast.expr) -> list[str]:
    """`a.b.c` as its three names; nothing where it does not begin with a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def attribute(node: ast.Attribute, file: Module, modules: dict[str, Module]) -> Name | None:
    """The definition that `a.b.c` means, where `a` is a module that the file imports."""
    first, *rest = chain(node) or [""]
    place = resolve(modules, file.imported[first]) if first in file.imported else None
    for name in rest:
        if place is None or place.name:
            return None
        place = resolve(modules, Name(place.module, name))
    return place


def set_by_name(node: ast.Call, file: Module, modules: dict[str, Module]) -> Name | None:
    """What `setattr(module, "name", ...)`, `getattr` and their like mean."""
    if len(node.args) < 2 or not isinstance(node.args[0], ast.Name) or not isinstance(node.args[1], ast.Constant):
        return None
    owner = file.imported.get(node.args[0].id)
    place = resolve(modules, owner) if owner is not None else None
    return resolve(modules, Name(place.module, str(node.args[1].value))) if place and not place.name else None


def in_text(text: str, modules: dict[str, Module]) -> Iterator[Name]:
    """`package.module.name` and `package.module:name` in a string or a page."""
    for path in re.findall(r"\b\w+(?:\.\w+)*[.:]\w+", text):
        home, _, name = path.replace(":", ".").rpartition(".")
        if home in modules and name in modules[home].defined:
            yield Name(home, name)


def used_by(file: Module, modules: dict[str, Module]) -> set[Name]:
    """The names of other files that a file uses: imported, as attributes of modules, in strings."""
    found: set[Name | None] = {resolve(modules, where) for where in file.imported.values()}
    for node in file.nodes:
        if isinstance(node, ast.Attribute):
            found.add(attribute(node, file, modules))
        elif isinstance(node, ast.Call):
            found.add(set_by_name(node, file, modules))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(in_text(node.value, modules))
    return {name for name in found if name is not None and name.name and modules[name.module].path != file.path}


def listed(module: Module) -> set[str]:
    """The names in a module's `__all__`."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and "__all__" in stored(node.targets[0]):
            return {str(part.value) for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
    return set()


def used(project: Project) -> set[Name]:
    """Every name that another file than its own uses.

    Constants in capitals are also looked up on objects of which only the run knows which module they are
    (`family.ROWS`): any attribute of that name counts.
    """
    root, modules, users = project
    found = {name for file in [*modules.values(), *users] for name in used_by(file, modules)}
    nodes = (node for file in [*modules.values(), *users] for node in file.nodes)
    capitals = {node.attr for node in nodes if isinstance(node, ast.Attribute) and node.attr.isupper()}
    for module, content in modules.items():
        found |= {Name(module, name) for name in listed(content) | (capitals & set(content.defined))}
    for page in [*root.glob("*.toml"), *root.glob("*.md"), *(root / "docs").rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        found.update(in_text(text, modules))
        for home, names in re.findall(r"^from ([\w.]+) import (.+)$", text, re.MULTILINE):
            places = [resolve(modules, Name(home, name)) for name in re.findall(r"\w+", names)]
            found.update(place for place in places if place is not None)
    return found
