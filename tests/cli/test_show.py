"""`thalweg show`: a finished run, one that was killed, and whatever else may lie in a folder."""

import json
import shutil
from pathlib import Path

import pytest

from thalweg_cli.show_command import as_python, config_rows, range_text, read_history
from thalweg_cli.sparklines import ASCII_MARKS, BLOCK_MARKS, sparkline


@pytest.fixture
def run(finished):
    shutil.copytree(finished, "a")
    return Path("a")


@pytest.fixture
def killed(run):
    """As it lies there when the power fails in the middle of a row."""
    for name in ("result.json", "parameters.npz", "curves.png"):
        (run / name).unlink()
    text = (run / "history.csv").read_text()
    (run / "history.csv").write_text(text[: len(text) // 2])
    return run


def test_a_finished_run(thalweg, run):
    done = thalweg("show", run)
    result = json.loads((run / "result.json").read_text())
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[: len(result["lines"])] == result["lines"]
    assert "AdamW(learning_rate=WarmupCosine(peak=0.02" in done.stdout
    assert "Epochs(count=3) | Patience(count=8)" in done.stdout
    assert "batch_size=64, last=keep, shuffle=True, keep=best" in done.stdout
    curves = [line.split()[0] for line in lines[-4:]]
    assert curves == ["value", "validation", "accuracy", "step"]
    drawn = [line[14:].split("  ")[0] for line in lines[-4:]]
    assert {len(drawing) for drawing in drawn} == {len(drawn[0])}, "one step stands in one column in all of them"
    assert all(BLOCK_MARKS[-1] in drawing for drawing in drawn)


def test_as_json(thalweg, run):
    found = json.loads(thalweg("show", run, "--json").stdout)
    assert found["finished"] is True
    assert found["result"] == json.loads((run / "result.json").read_text())
    assert found["config"]["batch_size"] == 64
    assert found["history"]["rows"] == 3 * 23 + 1
    accuracy = found["history"]["columns"]["validation_accuracy"]
    assert accuracy["lowest"] == accuracy["first"] < accuracy["last"] <= accuracy["highest"]


def test_a_killed_run(thalweg, killed):
    done = thalweg("show", killed)
    rows = len(read_history(killed / "history.csv")["step"])
    assert 0 < rows < 69
    assert done.exit_code == 0
    assert done.stdout.startswith("UNFINISHED: a has no result.json, so the run is still going or was killed")
    assert f"its history ends at step {rows - 1}." in done.stdout
    assert "AdamW" in done.stdout and "accuracy" in done.stdout
    found = json.loads(thalweg("show", killed, "--json").stdout)
    assert (found["finished"], found["result"], found["history"]["rows"]) == (False, None, rows)


def test_a_run_that_has_only_just_begun(thalweg, killed):
    (killed / "history.csv").write_text("")
    assert "it has no history yet." in thalweg("show", killed).stdout
    (killed / "history.csv").unlink()
    assert "it has no history yet." in thalweg("show", killed).stdout


def test_the_newest_run_is_the_one_that_is_meant(thalweg):
    for seed in (1, 2):
        thalweg("run", "quadratic", "--method", "adam", "--stop", "steps:2", "--seed", seed, "--quiet")
    newest = max(Path("runs").iterdir(), key=lambda folder: (folder / "config.json").stat().st_mtime_ns)
    assert json.loads(thalweg("show", "--json").stdout)["folder"] == str(newest)
    done = thalweg("show", "runs")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("runs holds several runs: give one of them, as in `thalweg show runs/quadratic-")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("result.json", '{"status": "CONV', "a/result.json cannot be read as JSON"),
        ("result.json", "[1]", "a/result.json is not from a run: it holds a list, not an object."),
        ("result.json", '{"name": "x"}', "a/result.json is not from a run: it has no 'lines'."),
        ("result.json", b"\xff\xfe", "a/result.json cannot be read as JSON"),
        ("config.json", "{", "a/config.json cannot be read as JSON"),
        ("history.csv", "name,age\nAda,36\n", "a/history.csv is not a run's history: it has no column 'step'."),
        ("history.csv", "step,value\n0,1\n1\n", "a/history.csv, line 3: the header has 2 cells, but this row 1."),
        ("history.csv", "step,value\n0,one\n", "a/history.csv, line 2: 'one' is not a number."),
        ("history.csv", b"\xff\xfe\n", "a/history.csv cannot be read as CSV"),
        ("history.csv", None, "a/history.csv cannot be read: Is a directory."),
        ("result.json", None, "a/result.json cannot be read: Is a directory."),
    ],
)
def test_a_damaged_file_is_one_sentence(thalweg, run, name, content, sentence):
    (run / name).unlink()
    if content is None:
        (run / name).mkdir()
    else:
        (run / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = thalweg("show", run)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert sentence in done.stderr


def test_a_folder_without_a_run_is_one_sentence(thalweg):
    Path("empty").mkdir()
    done = thalweg("show", "empty")
    assert (done.exit_code, done.stderr) == (2, "empty is not a run's folder: it has no config.json.\n")


@pytest.mark.parametrize(
    ("numbers", "width", "drawn"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, "▁▂▃▄▅▆▇█"),
        ([0, 0, 7, 7], 2, "▁█"),
        ([1, 10, 100], 9, "▁▅█"),
        ([5, 5, 5], 9, "▁▁▁"),
        ([0, None, 1], 9, "▁ █"),
        ([0, float("inf"), 1], 9, "▁ █"),
        ([None, None], 9, "  "),
        ([], 9, ""),
        ([3], 9, "▁"),
        ([-1.7e308, 1.7e308], 9, "▁█"),
        ([1.7e308, 1.7e308, 0, 0], 2, "█▁"),
    ],
)
def test_curves(numbers, width, drawn):
    assert sparkline(numbers, width, BLOCK_MARKS) == drawn
    assert sparkline(numbers, width, ASCII_MARKS) == drawn.translate(
        dict(zip(map(ord, BLOCK_MARKS), ASCII_MARKS, strict=True))
    )


def test_a_million_numbers_fit_in_a_line():
    assert sparkline(range(1, 10**6), 4, BLOCK_MARKS) == "▁▅▇█"


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ([3.0, 1.0], "3 -> 1"),
        ([3.0, 0.5, 9.0, 1.0], "3 -> 1, lowest 0.5, highest 9 (log)"),
        ([2.0, None, float("inf")], "2 -> inf"),
    ],
)
def test_the_ends_and_the_extremes_of_a_curve(column, text):
    assert range_text(column) == text


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"type": "Steps", "count": 5.0}, "Steps(count=5)"),
        (
            {"type": "AllOf", "rules": [{"type": "AnyOf", "rules": [{"type": "Never"}] * 2}, {"type": "Never"}]},
            "(Never() | Never()) & Never()",
        ),
        ({"float": "inf"}, "inf"),
        ({"function": "mine:mask"}, "mine:mask"),
        ({"array": [1.0, 2.5], "dtype": "float32"}, "[1, 2.5]"),
        (None, "None"),
        (True, "True"),
    ],
)
def test_a_configuration_reads_like_python(config, text):
    assert as_python(config) == text


def test_a_configuration_of_another_version_is_shown_as_far_as_it_is_known():
    assert config_rows({"problem": "digits", "color": "red"}) == [("problem", "digits"), ("options", "color=red")]
