"""Checks names and words: `python -m tools.names [root]`; with `--report` it only counts.

- A top-level function, class or constant of `src` has its name for itself, underscores at its front aside.
- One that only its own file uses begins with an underscore, and one that begins so is imported nowhere else in `src`.
- Words: see `tools/words.py`.

Public without a user are configured objects (the class is their name in a configuration) and errors, functions that a
decorator registers (`@app.command()`), and the classes that signatures and fields of something public name.
"""

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tools.modules import Definition, Finding, Function, Module, Name, Project, read_project, used, used_by
from tools.words import check_words

PRESCRIBED = {
    "minimize": "SciPy's function, beside ours",
    "least_squares": "SciPy's function, beside the problem of the zoo",
    "bard": "a problem of Moré, Garbow and Hillstrom, and the same one as residuals",
    "beale": "a problem of Moré, Garbow and Hillstrom, and of the zoo",
    "rosenbrock": "a problem of Moré, Garbow and Hillstrom, and of the zoo",
    "box": "a problem of Moré, Garbow and Hillstrom",
}
"""Names that the outside gave twice -> the reason."""
SHOWN = frozenset({"Module", "Exception", "Warning", "UserWarning", "Enum", "IntEnum"})
"""Classes below these are seen by users, in configurations and messages, wherever they are used."""


def homonyms(project: Project) -> dict[str, list[Name]]:
    """Names, without the underscores at their front, that several modules define."""
    places: dict[str, list[Name]] = defaultdict(list)
    for module, content in project.modules.items():
        for name in content.defined:
            places[name.lstrip("_")].append(Name(module, name))
    return {name: found for name, found in sorted(places.items()) if len(found) > 1 and name not in PRESCRIBED}


def ancestors(project: Project) -> dict[str, set[str]]:
    """Every class -> the names of all that it inherits from, near and far."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in project.modules.values():
        for node in module.nodes:
            if isinstance(node, ast.ClassDef):
                bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
                found[node.name] |= {ast.unparse(base).rpartition(".")[2] for base in bases}
    size = -1
    while size != (size := sum(map(len, found.values()))):
        found = defaultdict(
            set, {name: near.union(*(found.get(base, ()) for base in near)) for name, near in found.items()}
        )
    return found


def is_registered(node: ast.stmt, module: Module) -> bool:
    """Whether a decorator that belongs to an object of this file passes the function on: `@app.command()`."""
    for decorator in node.decorator_list if isinstance(node, Definition) else []:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (
            isinstance(called, ast.Attribute)
            and isinstance(called.value, ast.Name)
            and called.value.id in module.defined
        ):
            return True
    return False


def annotations(node: ast.AST) -> Iterator[ast.expr]:
    """What a reader of a definition is told of its types: arguments, results, fields, parents."""
    if isinstance(node, Function):
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        yield from (arg.annotation for arg in given if arg is not None and arg.annotation is not None)
        yield from (node.returns,) if node.returns is not None else ()
    elif isinstance(node, ast.AnnAssign):
        yield node.annotation
    elif isinstance(node, ast.Assign):  # an alias of types
        yield node.value
    elif isinstance(node, ast.ClassDef):
        yield from node.bases
        for part in node.body:
            name = part.name if isinstance(part, Definition) else ast.unparse(getattr(part, "target", ast.Name("")))
            if not name.startswith("_") or name == "__init__":
                yield from annotations(part) if isinstance(part, Definition | ast.AnnAssign) else ()


def is_type(name: str, node: ast.stmt) -> bool:
    """Whether a definition is a class, or an alias of types (`Params = Any`)."""
    return isinstance(node, ast.ClassDef) or (
        not isinstance(node, Function) and name[:1].isupper() and not name.isupper()
    )


def named_types(module: Module, public: set[str]) -> set[str]:
    """The classes and aliases of a file that the signatures of its public names mention, near and far."""
    types = {name for name, node in module.defined.items() if is_type(name, node)}
    found = set(public)
    while True:
        parts = [part for name in found & set(module.defined) for part in annotations(module.defined[name])]
        words = {word for part in parts for word in re.findall(r"\w+", ast.unparse(part))}
        if not (more := (words & types) - found):
            return found
        found |= more


def exposed(project: Project) -> list[Name]:
    """The names that only their own files use, and that do not say so."""
    elsewhere, inherited = used(project), ancestors(project)
    found = []
    for module, content in project.modules.items():
        seen = {
            name
            for name, node in content.defined.items()
            if Name(module, name) in elsewhere
            or is_registered(node, content)
            or (isinstance(node, ast.ClassDef) and inherited[name] & SHOWN)
        }
        public = named_types(content, {name for name in seen if not name.startswith("_")})
        found += [Name(module, name) for name in content.defined if not name.startswith("_") and name not in public]
    return found


def intruded(project: Project) -> Iterator[tuple[Path, Name]]:
    """The files of `src` that use a private name of another one."""
    for content in project.modules.values():
        for name in sorted(used_by(content, project.modules)):
            if name.name.startswith("_"):
                yield content.path, name


def check_names(project: Project) -> Iterator[Finding]:
    """Homonyms, helpers that look public, and private names used elsewhere."""
    modules = project.modules
    for name, places in homonyms(project).items():
        for place in places:
            others = ", ".join(str(modules[other.module].path) for other in places if other != place)
            line = modules[place.module].defined[place.name].lineno
            yield Finding(modules[place.module].path, line, f"{place.name}: {name!r} is also defined in {others}")
    for module, name in exposed(project):
        line = modules[module].defined[name].lineno
        yield Finding(modules[module].path, line, f"{name}: only this file uses it; call it _{name}")
    for path, name in intruded(project):
        yield Finding(
            path, 1, f"{name.name} is private to {modules[name.module].path}; make it public or leave it alone"
        )


def report(project: Project) -> str:
    """The counts."""
    names = [Name(module, name) for module, content in project.modules.items() for name in content.defined]
    private = sum(name.name.startswith("_") for name in names)
    public = len(names) - private
    alike = homonyms(project)
    share = len(alike) / max(len({name.name.lstrip("_") for name in names}), 1)
    return (
        f"{len(project.modules)} modules, {len(names)} top-level names: {public} public, {private} private\n"
        f"{len(alike)} names in more than one module ({share:.1%}), {len(exposed(project))} helpers without underscore"
    )


def main(given: list[str]) -> int:
    """Prints the findings; 1 if there are any, or nothing was found to check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, nargs="?", default=Path())
    parser.add_argument("--report", action="store_true", help="print counts only")
    arguments = parser.parse_args(given)
    project = read_project(arguments.root)
    if arguments.report:
        print(report(project))
        return int(not project.modules)
    findings = sorted([*check_names(project), *check_words(arguments.root)])
    for finding in findings:
        print(finding)
    print(f"{len(project.modules)} modules, {len(findings)} findings")
    return int(bool(findings) or not project.modules)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
