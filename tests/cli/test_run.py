"""`thalweg run`: what it prints, what it leaves, and that it can be repeated."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from thalweg.run.folder import read_config, reserve

ROSENBROCK = ("run", "rosenbrock", "--method", "adam", "--stop", "steps:40")

MINE = """
import equinox as eqx
import jax.numpy as jnp
import thalweg as tw

class Shrink(tw.Rule):
    factor: float = 0.1

    def init(self, params):
        return ()

    def update(self, grads, state, params=None, **extra):
        return -self.factor * grads, state

    def rate(self, state):
        return jnp.asarray(self.factor)

def square(x):
    return jnp.sum(x**2)

problem = tw.Problem(square)
x0 = jnp.ones(2)
other = lambda: jnp.ones(3)

def pair():
    return problem, jnp.ones(4)

class job:
    problem, x0, method, stop = problem, jnp.ones(5), Shrink(0.25), tw.Steps(3)

def lost(x):
    return jnp.log(-1 - jnp.sum(x**2))

print("hello from the file")
"""


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    return file


def rows(folder):
    with (Path(folder) / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_its_folder_and_says_where(thalweg):
    done = thalweg(*ROSENBROCK)
    assert done.exit_code == 0
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("rosenbrock-2")
    assert {f.name for f in folder.iterdir()} == {"config.json", "history.csv", "parameters.npz", "curves.png"}
    assert done.stdout.startswith("STEP_LIMIT after 40 steps")
    assert str(folder) in done.stdout
    assert done.stderr == ""
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    with np.load(folder / "parameters.npz", allow_pickle=False) as parameters:
        assert list(parameters) == ["x"]
        assert parameters["x"].shape == (2,)


def test_the_history_has_a_row_a_step(thalweg):
    thalweg(*ROSENBROCK, "--out", "a")
    table = rows("a")
    assert list(table[0]) == ["step", "epoch", "value", "step_size", "optimality"]
    assert [int(row["step"]) for row in table] == list(range(41))
    assert {row["epoch"] for row in table} == {""}
    assert float(table[0]["value"]) == pytest.approx(24.2)


def test_a_configuration_repeats_the_run_bit_for_bit(thalweg):
    thalweg(*ROSENBROCK, "--set", "b1=0.8", "--seed", "3", "--out", "a")
    for source in ("a", "a/config.json"):
        assert thalweg("run", "--config", source, "--out", "b").exit_code == 0
    for copy in ("b", "b-2"):
        for name in ("history.csv", "parameters.npz", "config.json"):
            assert (Path("a") / name).read_bytes() == (Path(copy) / name).read_bytes()
    config = read_config(Path("a"))
    assert (config["problem"], config["seed"], config["method"]["rule"]["b1"]) == ("rosenbrock", 3, 0.8)


def test_what_is_typed_goes_before_what_the_configuration_says(thalweg):
    thalweg(*ROSENBROCK, "--out", "a")
    thalweg("run", "--config", "a", "--set", "learning_rate=0.5", "--stop", "steps:7", "--out", "b")
    config = read_config(Path("b"))
    assert config["method"]["rule"]["learning_rate"] == 0.5
    assert len(rows("b")) == 8


def test_a_folder_that_exists_gets_a_number_and_an_empty_one_is_used(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "empty").mkdir()
    assert reserve(tmp_path / "full").name == "full-2"
    assert reserve(tmp_path / "empty").name == "empty"
    assert reserve(tmp_path / "deep" / "new").is_dir()


def test_json_is_one_object_and_nothing_else(thalweg, mine):
    done = thalweg("run", f"{mine}:problem", "--json", "--out", "a")
    found = json.loads(done.stdout)
    assert "hello from the file" in done.stderr
    assert found["status"] == "CONVERGED"
    assert found["ok"] is True
    assert found["folder"] == "a"
    assert found["rule"]["type"] == "GradNorm"
    np.testing.assert_allclose(found["x"]["x"], [0, 0], atol=1e-6)


def test_json_has_null_for_nan_and_a_failure_exits_with_1(thalweg, mine):
    done = thalweg("run", f"{mine}:lost", "--json", "--out", "a")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["status"], found["value"], found["ok"]) == (1, "NONFINITE", None, False)


def test_a_failure_prints_its_summary_even_when_quiet(thalweg, mine):
    done = thalweg("run", f"{mine}:lost", "--quiet", "--out", "a")
    assert done.exit_code == 1
    assert "NONFINITE" in done.stdout
    assert thalweg("run", "quadratic", "--stop", "steps:2", "-q").stdout == ""


@pytest.mark.parametrize(
    ("words", "size"),
    [
        (("",), 2),
        ((":problem",), 2),
        ((":square",), 2),
        ((":pair",), 4),
        ((":job",), 5),
        ((":problem", "--start", "other"), 3),
    ],
)
def test_a_users_file_in_every_form(thalweg, mine, words, size):
    done = thalweg("run", f"{mine}{words[0]}", *words[1:], "--out", "a")
    assert done.exit_code == 0
    with np.load("a/parameters.npz") as parameters:
        assert parameters["x"].size == size


def test_a_users_own_method_is_run_configured_and_repeated(thalweg, mine):
    done = thalweg("run", f"{mine}:job", "--set", "factor=0.5", "--out", "a")
    assert "Shrink" in done.stdout
    assert float(rows("a")[1]["value"]) == 0
    assert len(rows("a")) == 4
    assert read_config(Path("a"))["method"]["rule"]["factor"] == 0.5


def test_restarts_and_precision(thalweg):
    done = thalweg("run", "rosenbrock", "--restarts", "3", "--x32", "--json", "--out", "a")
    found = json.loads(done.stdout)
    assert len(found["restarts"]["values"]) == 3
    assert read_config(Path("a"))["x64"] is False
    with np.load("a/parameters.npz") as parameters:
        assert parameters["x"].dtype == np.float32


def test_nothing_is_left_where_nothing_was_run(thalweg, mine):
    mine.write_text(MINE + "\ndef broken(x):\n    return nowhere(x)\n")
    assert thalweg("run", f"{mine}:broken", "--out", "a").exit_code == 2
    assert not Path("a").exists()
