"""Public names: where they live, that each is there, and that none is imported before it is used."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import pytest

import thalweg as tw
from thalweg.core.config import find

TABLED = ("thalweg", "thalweg.solvers.descent", "thalweg.solvers.trust_region")
NAMESPACES = ("descent", "landscape", "line_search", "plot", "problems", "schedules", "scipy", "trust_region")
MOST = 150
"""Names at the top level."""


def checked(module) -> ast.If:
    """The two halves of a package's names: what type checkers see, and the table."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return block


def homes(module) -> dict[str, str]:
    """Name -> module of its definition, by the table."""
    tables = [ast.literal_eval(node) for node in checked(module).orelse[0].value.args[1:]]
    named = {name: home for home, names in tables[0].items() for name in names.split()}
    return named | {name: home.rpartition(".")[0] for table in tables[1:] for name, home in table.items()}


def imports(module) -> dict[str, str]:
    """Name -> module of its definition, by the imports that type checkers see."""
    block, found = checked(module), {}
    for node in block.body:
        for alias in node.names:
            assert alias.asname == alias.name, f"{alias.name}: write `import {alias.name} as {alias.name}`"
            found[alias.name] = node.module
    return found


@pytest.mark.parametrize("name", TABLED)
def test_the_table_and_the_imports_of_type_checkers_agree(name):
    module = importlib.import_module(name)
    assert homes(module) == imports(module)
    assert set(module.__all__) == set(homes(module)) <= set(dir(module))


@pytest.mark.parametrize("name", TABLED)
def test_every_name_is_what_its_home_defines(name):
    module = importlib.import_module(name)
    for public, home in homes(module).items():
        value = getattr(module, public)
        if inspect.ismodule(value):
            assert value.__name__ == f"{home}.{public}"
        else:
            assert value is getattr(sys.modules[home], public)
            if callable(value):
                assert value.__module__ == home, f"{public} is defined in {value.__module__}, not in {home}"
        assert vars(module)[public] is value, "kept after the first look"


@pytest.mark.parametrize("name", ["thalweg", *(f"thalweg.{name}" for name in ("core", "run", "registry"))])
def test_no_module_has_the_name_of_something_public(name):
    """Whoever imports such a module would put it in the place of the function."""
    package = importlib.import_module(name)
    for module in pkgutil.iter_modules(package.__path__):
        if module.name in getattr(package, "__all__", ()):
            assert getattr(package, module.name) is importlib.import_module(f"{name}.{module.name}")


def test_namespaces_say_what_is_inside():
    for name in NAMESPACES:
        module = getattr(tw, name)
        assert module.__doc__, name
        for public in module.__all__:
            assert getattr(module, public) is not None


def test_every_name_is_in_one_place():
    top = set(tw.__all__)
    assert len(top) <= MOST
    for name in NAMESPACES:
        if name not in ("plot", "problems", "scipy"):  # named after other things: rows of a history, functions of SciPy
            assert not top & set(getattr(tw, name).__all__), name


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="module 'thalweg' has no attribute 'Adamm'"):
        tw.Adamm  # noqa: B018
    with pytest.raises(AttributeError, match=r"module 'thalweg.solvers.descent' has no attribute 'x'"):
        tw.descent.x  # noqa: B018


def output(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_imports_no_part_of_it():
    ours = "print(sorted(name for name in sys.modules if name.split('.')[0] in ('thalweg', 'jax', 'equinox', 'numpy')))"
    assert output(f"import sys, thalweg; {ours}") == "['thalweg', 'thalweg.core', 'thalweg.core.lazy']"


def test_a_rule_imports_no_solver_and_no_registry():
    others = "[name for name in sys.modules if name.startswith(('thalweg.solvers', 'thalweg.registry', 'thalweg.run'))]"
    assert output(f"import sys, thalweg as tw; tw.SGD(0.1); print({others})") == "[]"


FRESH = """
import json
import thalweg as tw
import jax, jax.numpy as jnp
mask = {"function": "thalweg.rules.masks:matrices"}
print(tw.from_config({"type": "AdamW", "weight_decay": 0.5, "mask": mask}).mask.__name__)
print(tw.from_config({"type": "Freeze"}))
print(tw.from_config(json.loads(CONFIG)).direction.memory)
"""


@pytest.mark.thorough
def test_a_configuration_is_read_where_nothing_was_imported_yet():
    import json

    config = repr(json.dumps(tw.to_config(tw.LBFGS(3))))
    assert output(FRESH.replace("CONFIG", config)).splitlines()[-1] == "3"


def test_configurations_name_every_public_class():
    spaces = [tw, *(getattr(tw, name) for name in ("descent", "line_search", "schedules", "trust_region"))]
    for value in [getattr(space, name) for space in spaces for name in space.__all__]:
        if inspect.isclass(value) and issubclass(value, eqx.Module):
            assert find(value.__name__) is value


def test_a_name_of_a_namespace_is_found_for_whoever_looks_at_the_top():
    with pytest.raises(AttributeError, match=r"no attribute 'Cosine': it is in schedules, schedules.Cosine$"):
        tw.Cosine  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'Nowhere'$"):
        tw.Nowhere  # noqa: B018
