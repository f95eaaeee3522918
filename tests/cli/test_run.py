"""`thalweg run`: what it prints, what it leaves, and that it can be repeated."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
from thalweg_cli.run_folder import read_config, reserve_folder
from thalweg_cli.run_options import with_epochs

ROSENBROCK = ("run", "rosenbrock", "--method", "adam", "--stop", "steps:40")

QUICK = ("--method", "adam", "--stop", "steps:2")
"""For whatever is small."""

FILES = {"config.json", "history.csv", "parameters.npz", "curves.png", "result.json"}

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
    assert {f.name for f in folder.iterdir()} == FILES
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
    assert (config["problem"], config["seed"], config["method"]["b1"]) == ("rosenbrock", 3, 0.8)


@pytest.mark.thorough
def test_what_is_typed_goes_before_what_the_configuration_says(thalweg):
    thalweg(*ROSENBROCK, "--out", "a")
    thalweg("run", "--config", "a", "--set", "learning_rate=0.5", "--stop", "steps:7", "--out", "b")
    config = read_config(Path("b"))
    assert config["method"]["learning_rate"] == 0.5
    assert len(rows("b")) == 8


def test_a_method_inside_a_method_is_named_and_its_numbers_are_reached(thalweg):
    words = ("run", "least-squares", "--stop", "steps:5", "--set", "learning_rate=0.05")
    thalweg(*words, "--method", "sam", "--set", "inner=adam", "--set", "rho=0.01", "--out", "a")
    method = read_config(Path("a"))["method"]
    assert (method["type"], method["rho"], method["inner"]["rule"]["type"]) == ("SAM", 0.01, "Adam")
    assert method["inner"]["rule"]["learning_rate"] == 0.05
    thalweg(*words, "--method", "partition", "--set", "rules.0=momentum", "--out", "b")
    method = read_config(Path("b"))["method"]
    assert (method["patterns"], method["rules"][0]["type"]) == (["**"], "Momentum")
    assert method["rules"][0]["learning_rate"] == 0.05


def test_a_folder_that_exists_gets_a_number_and_an_empty_one_is_used(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "empty").mkdir()
    assert reserve_folder(tmp_path / "full").name == "full-2"
    assert reserve_folder(tmp_path / "empty").name == "empty"
    assert reserve_folder(tmp_path / "deep" / "new").is_dir()


def test_json_is_one_object_and_nothing_else(thalweg, mine):
    done = thalweg("run", f"{mine}:problem", "--json", "--out", "a")
    found = json.loads(done.stdout)
    assert "hello from the file" in done.stderr
    assert found["status"] == "CONVERGED"
    assert found["ok"] is True
    assert found["folder"] == "a"
    assert found["rule"]["type"] == "GradNorm"
    np.testing.assert_allclose(found["x"]["x"], [0, 0], atol=1e-6)
    assert json.loads(Path("a/result.json").read_text()) == found
    assert set(found["files"]) == {file.name for file in Path("a").iterdir()} == FILES


def test_json_has_null_for_nan_and_a_failure_exits_with_1(thalweg, mine):
    done = thalweg("run", f"{mine}:lost", "--json", "--out", "a")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["status"], found["value"], found["ok"]) == (1, "NONFINITE", None, False)


def test_a_failure_prints_its_summary_even_when_quiet(thalweg, mine):
    done = thalweg("run", f"{mine}:lost", "--quiet", "--out", "a")
    assert done.exit_code == 1
    assert "NONFINITE" in done.stdout
    quiet = thalweg("run", "quadratic", *QUICK, "-q")
    assert (quiet.exit_code, quiet.stdout) == (0, "")


@pytest.mark.parametrize(
    ("words", "size"),
    [
        (("",), 2),
        pytest.param((":problem", *QUICK), 2, marks=pytest.mark.thorough),
        pytest.param((":square", *QUICK), 2, marks=pytest.mark.thorough),
        ((":pair", *QUICK), 4),
        pytest.param((":job",), 5, marks=pytest.mark.thorough),
        ((":problem", "--start", "other", *QUICK), 3),
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
    assert read_config(Path("a"))["method"]["factor"] == 0.5


def test_restarts_and_precision(thalweg):
    done = thalweg(*ROSENBROCK, "--restarts", "3", "--x32", "--json", "--out", "a")
    found = json.loads(done.stdout)
    assert len(found["restarts"]["values"]) == 3
    assert len(rows("a")) == found["steps"] + 1
    assert read_config(Path("a"))["x64"] is False
    with np.load("a/parameters.npz") as parameters:
        assert parameters["x"].dtype == np.float32


def test_nothing_is_left_where_nothing_was_run(thalweg, mine):
    mine.write_text(MINE + "\ndef broken(x):\n    return nowhere(x)\n")
    assert thalweg("run", f"{mine}:broken", "--out", "a").exit_code == 2
    assert not Path("a").exists()


FAST = ("run", "digits", "--epochs", "2", "--quiet")


@pytest.mark.thorough
def test_the_main_job_is_what_its_author_recommends(thalweg):
    assert thalweg("run", "digits", "--quiet", "--out", "a").exit_code == 0
    config, job = read_config(Path("a")), tw.problems.digits()
    assert {name: config[name] for name in job.options} == {n: tw.to_config(v) for n, v in job.options.items()}
    assert config["method"] == tw.to_config(job.method)
    found = json.loads(Path("a/result.json").read_text())
    assert found["validation"]["accuracy"] >= 0.97
    assert found["kept"] == found["validation"]["step"]


@pytest.mark.thorough
def test_a_configuration_repeats_a_run_on_batches_bit_for_bit(thalweg):
    words = ("--batch-size", "100", "--on-nonfinite", "skip", "--keep", "last", "--seed", "5", "--set", "peak=0.01")
    thalweg(*FAST, *words, "--out", "a")
    thalweg("run", "--config", "a", "--quiet", "--out", "b")
    for name in ("history.csv", "parameters.npz", "config.json"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()
    config = read_config(Path("a"))
    expected = {"batch_size": 100, "last": "keep", "shuffle": True, "on_nonfinite": "skip", "keep": "last", "seed": 5}
    assert {name: config[name] for name in expected} == expected
    assert len(rows("a")) == 2 * 15 + 1


@pytest.mark.thorough
def test_a_change_of_the_length_reaches_a_schedule_that_lasts_as_long(thalweg):
    thalweg(*FAST, "--out", "a")
    thalweg("run", "--config", "a", "--epochs", "4", "--quiet", "--out", "b")
    halfway = [float(rows(folder)[2 * 23 - 1]["step_size"]) for folder in "ab"]
    assert halfway[0] < 1e-3 and halfway[1] > 1e-2
    assert float(rows("b")[-2]["step_size"]) < 1e-3


@pytest.mark.parametrize(
    ("stop", "joined"),
    [
        (None, tw.Epochs(3)),
        (tw.Patience(5), tw.Patience(5) | tw.Epochs(3)),
        (tw.Epochs(40) | tw.Patience(5), tw.Epochs(3) | tw.Patience(5)),
        ((tw.Epochs(40) & tw.Steps(9)) | tw.Seconds(60), (tw.Epochs(3) & tw.Steps(9)) | tw.Seconds(60)),
    ],
)
def test_a_number_of_epochs_takes_the_place_of_another_or_stands_beside_the_rest(stop, joined):
    assert repr(with_epochs(stop, tw.Epochs(3))) == repr(joined)


@pytest.mark.thorough
def test_a_method_of_whole_data_gets_nothing_that_suits_batches(thalweg):
    done = thalweg("run", "digits", "--method", "lbfgs", "--json", "--out", "a")
    found, config = json.loads(done.stdout), read_config(Path("a"))
    assert (found["status"], config["batch_size"], config["stop"], config["keep"]) == ("CONVERGED", None, None, "last")
    assert found["validation"]["accuracy"] >= 0.95
    thalweg("run", "--config", "a", "--method", "adam", "--batch-size", "64", "--epochs", "1", "-q", "--out", "b")
    assert len(rows("b")) == 23 + 1


@pytest.mark.thorough
def test_all_the_data_at_every_step(thalweg):
    thalweg("run", "digits", "--batch-size", "all", "--epochs", "6", "--quiet", "--out", "a")
    assert read_config(Path("a"))["batch_size"] is None
    assert [float(row["epoch"]) for row in rows("a")] == list(range(7))


@pytest.mark.thorough
def test_a_schedule_gives_way_to_a_number(thalweg):
    thalweg(*FAST, "--set", "learning_rate=0.005", "--out", "a")
    assert {float(row["step_size"]) for row in rows("a")[:-1]} == {0.005}
    thalweg(*FAST, "--set", "warmup=5", "--out", "b")
    assert float(rows("b")[4]["step_size"]) == pytest.approx(0.02)


def test_a_method_is_chosen_for_batches_where_none_is_named(thalweg, mine):
    mine.write_text(MINE + "fit = lambda: (tw.Problem(lambda p, b: (p - b.mean()) ** 2, data=jnp.arange(9.0)), 0.0)\n")
    words = ("run", f"{mine}:fit", "--batch-size", "2", "--epochs", "3", "--set", "learning_rate=0.5", "--out", "a")
    assert "Adam" in thalweg(*words).stdout
    assert read_config(Path("a"))["method"]["rule"]["learning_rate"] == 0.5
    assert len(rows("a")) == 3 * 5


def test_what_goes_wrong_in_the_middle_leaves_the_rows(thalweg, mine):
    mine.write_text(
        MINE
        + """
def batches():
    yield from [jnp.ones(2)] * 50
    raise RuntimeError("the tape broke")

def tape():
    return tw.Problem(lambda p, b: jnp.mean((p - b) ** 2), data=tw.Stream(batches())), jnp.asarray(0.0)
"""
    )
    done = thalweg("run", f"{mine}:tape", "--method", "adam", "--stop", "steps:99", "--out", "a")
    assert done.exit_code == 2 and "RuntimeError: the tape broke" in done.stderr
    assert read_config(Path("a"))["stop"]["count"] == 99
    assert not Path("a/result.json").exists()


def test_a_full_disk_is_a_sentence(thalweg, monkeypatch):
    def full(file, array, **options):
        raise OSError(28, "No space left on device", "a/parameters.npz.part")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    done = thalweg("run", "quadratic", *QUICK, "--out", "a")
    assert (done.exit_code, done.stderr) == (2, "a/parameters.npz.part cannot be written: No space left on device.\n")
    assert {file.name for file in Path("a").iterdir()} == {"config.json", "history.csv"}


@pytest.mark.parametrize(("args", "code"), [((), 130), ((15,), 143)])
def test_a_second_signal_breaks_the_run_off(thalweg, monkeypatch, args, code):
    def impatient(*words, **options):
        raise KeyboardInterrupt(*args)

    monkeypatch.setattr("thalweg_cli.run_command.minimize", impatient)
    done = thalweg("run", "quadratic", "--out", "a")
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", "Interrupted.\n")
    assert read_config(Path("a"))["problem"] == "quadratic"
