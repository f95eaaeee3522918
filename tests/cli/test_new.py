"""`thalweg new`: what it writes can be imported, agrees with its twin, and does what its row says."""

import ast
import importlib.util
import pathlib
import shutil
import sys

import jax
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, iterates, numbers
from thalweg.problems import ZOO
from thalweg_cli.new import RULE_FAMILIES, SOLVER_FAMILIES, add_row, kebab

ROOT = pathlib.Path(__file__).parents[2]
CASES = [
    ("rule", "AdaBelief", "adaptive"),
    pytest.param("rule", "Plain", "rules", marks=pytest.mark.thorough),
    ("solver", "RestartedHeavyBall", "first_order"),
]


@pytest.fixture
def checkout(tmp_path):
    """The parts of a checkout that the command looks at, in the working folder."""
    for part in ("src/thalweg/registry", "docs"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("*.png", "__pycache__"))
    return tmp_path


def load(file: pathlib.Path, name: str):
    """A module from a file, found under a name from now on."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("kind", "name", "family"), CASES, ids=["AdaBelief", "Plain", "RestartedHeavyBall"])
def test_what_is_written_works_at_once(thalweg, checkout, monkeypatch, kind, name, family):
    done = thalweg("new", kind, name, "--family", family)
    assert done.exit_code == 0, done.output
    place, row_name = (RULE_FAMILIES | SOLVER_FAMILIES)[family], kebab(name)
    stem = row_name.replace("-", "_")
    module = f"thalweg.{place.folder.replace('/', '.')}.{stem}"
    monkeypatch.setitem(sys.modules, module, None)  # taken away again afterwards
    cls = getattr(load(checkout / "src" / "thalweg" / place.folder / f"{stem}.py", module), name)
    registry = load(checkout / "src" / "thalweg" / "registry" / f"{place.registry}.py", "registry_with_one_more")
    monkeypatch.delitem(sys.modules, "registry_with_one_more")
    rows = next(value for value in vars(registry).values() if isinstance(value, tuple) and row_name in {*names(value)})
    row = rows[-1]
    assert (row.name, row.make, row.twin) == (row_name, cls, f"tests.twins.{stem}")
    assert [line for line in (checkout / "docs" / place.page).read_text().splitlines() if name in line]
    assert f"pytest tests/battery tests/twins tests/rates -k '{row_name} or whole_registry'" in done.output
    twin = load(checkout / "tests" / "twins" / f"{stem}.py", "its_twin")
    monkeypatch.delitem(sys.modules, "its_twin")
    for problem, make in {"quadratic": lambda: row.example("quadratic"), **dict(row.cases.values())}.items():
        agree(ZOO[problem](), make(), twin)
    known = ZOO["quadratic"]()
    result = tw.minimize(known.problem, known.x0, row.example("quadratic"))
    assert result.ok
    assert result.value == pytest.approx(known.minimum, abs=1e-6)


def names(rows: tuple) -> list:
    """The names of a tuple of rows."""
    return [getattr(row, "name", None) for row in rows]


def agree(known, method, twin) -> None:
    """Ten steps of a method and of its twin are the same."""
    solver = tw.FirstOrder(method) if isinstance(method, tw.Rule) else method
    compiled = jax.jit(known.problem.objective.value_and_grad)
    x0 = np.asarray(known.x0, float) + 0.25
    expected = twin.run(lambda x: tuple(map(np.asarray, compiled(x))), x0, 10, **numbers(method))
    close = 1e-10 if X64 else 1e-4
    np.testing.assert_allclose(iterates(known.problem, solver, x0, 10), expected, rtol=close, atol=close)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("rule", "adabelief"), "NAME 'adabelief' is no name of a class: write it in CapWords, e.g. AdaBelief."),
        (("rule", "AdaBelief", "--name", "Ada"), "--name 'Ada': write lower-case words joined by hyphens"),
        (("rule", "AdaBelief", "--family", "adaptiv"), "There is no family 'adaptiv': did you mean 'adaptive'?"),
        (("solver", "Again", "--family", "adaptive"), "There is no family 'adaptive'"),
    ],
)
def test_what_is_typed_wrong_is_said(thalweg, checkout, words, sentence):
    before = sorted(checkout.rglob("*"))
    done = thalweg("new", *words)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert sorted(checkout.rglob("*")) == before


def test_outside_of_a_checkout_nothing_is_written(thalweg, tmp_path):
    done = thalweg("new", "rule", "AdaBelief")
    assert done.exit_code == 2
    assert "go to the root of a checkout" in done.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(thalweg, checkout):
    assert thalweg("new", "rule", "AdaBelief").exit_code == 0
    written = {file: file.read_bytes() for file in checkout.rglob("*") if file.is_file()}
    done = thalweg("new", "rule", "AdaBelief")
    assert (done.exit_code, "src/thalweg/rules/ada_belief.py exists" in done.stderr) == (2, True)
    assert {file: file.read_bytes() for file in checkout.rglob("*") if file.is_file()} == written


@pytest.mark.parametrize("family", [*RULE_FAMILIES, *SOLVER_FAMILIES])
def test_every_family_has_its_place(family):
    place = (RULE_FAMILIES | SOLVER_FAMILIES)[family]
    registry = ROOT / "src" / "thalweg" / "registry" / f"{place.registry}.py"
    assert (ROOT / "src" / "thalweg" / place.folder).is_dir()
    assert (ROOT / "docs" / place.page).is_file()
    assert place.heading in {row.family for row in tw.METHODS.values()}
    text = add_row(registry.read_text(), "    None,\n", {"thalweg.rules.sgd": ("SGD",), "thalweg.a": ("b",)})
    imported = [node.module or "" for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    ours = [module for module in imported if module.startswith("thalweg.")]
    assert ours == sorted(ours)
