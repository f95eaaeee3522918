"""The program itself, as a shell starts it: in harsh places, with signals, and with nobody who listens."""

import contextlib
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.helpers import sampled
from thalweg_cli.run_folder import read_config

COMMAND = [sys.executable, "-c", "from thalweg_cli import main; main()"]
HARSH = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "MPLBACKEND": "TkAgg", "DISPLAY": ""}

LONG = """
import jax.numpy as jnp
import thalweg as tw

problem = tw.Problem(lambda x: jnp.sum(x**2))
x0 = jnp.ones(2)
"""
"""A run that lasts until somebody ends it."""


def shell(*words, **env):
    return subprocess.run([*COMMAND, *words], capture_output=True, env=os.environ | env, timeout=300, check=False)


@pytest.mark.thorough
def test_the_main_job_in_a_harsh_place(tmp_path):
    """Without a terminal, UTF-8 or a display."""
    folder = tmp_path / "a"
    done = shell("run", "digits", "--out", str(folder), **HARSH)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert b"accuracy" in done.stdout and done.stdout.isascii()
    with (folder / "history.csv").open() as file:
        table = [line.rstrip("\n").split(",") for line in file]
    assert table[0] == ["step", "epoch", "value", "step_size", "validation_value", "validation_accuracy"]
    assert max(float(row[-1]) for row in table[1:] if row[-1]) >= 0.97
    assert table[2][-2:] == ["", ""]
    with np.load(folder / "parameters.npz", allow_pickle=False) as parameters:
        assert set(parameters) == {"hidden/w", "hidden/b", "output/w", "output/b"}
    assert read_config(folder)["problem"] == "digits"
    assert json.loads((folder / "result.json").read_text())["ok"] is True


@pytest.mark.parametrize(
    ("env", "curve"), [(HARSH, "####"), ({"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}, "████")]
)
def test_it_is_shown_with_the_letters_that_there_are(finished, env, curve):
    done = shell("show", str(finished), **env)
    assert (done.returncode, done.stderr) == (0, b"")
    (line,) = [
        line for line in done.stdout.decode().splitlines() if line.startswith("  validation") and line.endswith("(log)")
    ]
    assert curve in line


@pytest.mark.thorough
@pytest.mark.parametrize(
    "words", sampled([("show",), ("show", "--json"), ("methods", "--json"), ("run", "--json")], [("show",)])
)
def test_nobody_reads_on(finished, tmp_path, words):
    """`thalweg show | head -1`: no complaint, and the run is whole."""
    where = {
        "show": [str(finished)],
        "run": ["quadratic", "--method", "sgd", "--stop", "steps:3", "--out", str(tmp_path / "b")],
    }
    read, write = os.pipe()
    os.close(read)
    command = [*COMMAND, *words, *where.get(words[0], [])]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=300, check=False)
    os.close(write)
    assert done.stderr == b""
    assert words[0] != "run" or (tmp_path / "b" / "result.json").exists()


@pytest.mark.thorough
def test_there_are_no_streams_at_all(tmp_path):
    line = shlex.join(
        [*COMMAND, "run", "quadratic", "--method", "sgd", "--stop", "steps:3", "--out", str(tmp_path / "a")]
    )
    done = subprocess.run(["sh", "-c", f"{line} >&- 2>&-"], timeout=300, check=False)
    assert done.returncode == 0
    assert (tmp_path / "a" / "result.json").exists()


def started(tmp_path, *words):
    """A long run, once its history has rows."""
    file, folder = tmp_path / "long.py", tmp_path / "a"
    file.write_text(LONG)
    command = [*COMMAND, "run", str(file), "--method", "adam", "--stop", "steps:1e9", "--out", str(folder), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(1200):
        with contextlib.suppress(OSError):
            if len((folder / "history.csv").read_bytes()) > 100:
                return process, folder
        if process.poll() is not None:
            raise AssertionError(process.communicate())
        time.sleep(0.05)
    raise AssertionError("it never began")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("number", "code", "name"),
    [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "Ctrl-C")],
)
def test_a_signal_ends_the_run_with_a_complete_folder(tmp_path, number, code, name):
    process, folder = started(tmp_path, "--json")
    process.send_signal(number)
    out, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (code, b"")
    found = json.loads(out)
    assert (found["status"], found["signal"]) == ("INTERRUPTED", int(number))
    assert found["message"] == f"interrupted by {name}."
    assert {file.name for file in folder.iterdir()} == set(found["files"])
    assert len(found["files"]) == 5
    with (folder / "history.csv").open() as file:
        assert sum(1 for _ in file) == found["steps"] + 2, "a head, and a row for every point"


@pytest.mark.thorough
def test_a_killed_run_still_says_what_it_was(tmp_path):
    process, folder = started(tmp_path, "--seed", "7")
    process.kill()
    process.communicate(timeout=300)
    assert {file.name for file in folder.iterdir()} == {"config.json", "history.csv"}
    assert read_config(folder)["seed"] == 7
    done = shell("show", str(folder))
    assert done.returncode == 0
    assert done.stdout.startswith(b"UNFINISHED") and b"Adam(learning_rate=0.001" in done.stdout


def in_a_terminal(*words, columns="100", **env):
    """What the program writes to its error stream, which is a terminal."""
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": columns} | env
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=theirs, env=env) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while block := os.read(ours, 4096):
                shown += block
        process.wait(timeout=300)
    os.close(ours)
    assert process.returncode == 0, shown
    return shown


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_the_bar_in_a_terminal(tmp_path):
    """It shows the compilation and the steps, and gives the cursor back."""
    shown = in_a_terminal("run", "quadratic", "--method", "sgd", "--stop", "steps:50", "--out", str(tmp_path / "a"))
    assert b"compiling" in shown
    assert b"step 50/50" in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("env", [{"columns": "20"}, {"TERM": "dumb"}, HARSH], ids=["narrow", "dumb", "ascii"])
def test_the_bar_in_a_poor_terminal(tmp_path, env):
    shown = in_a_terminal(
        "run", "quadratic", "--method", "sgd", "--stop", "steps:50", "--out", str(tmp_path / "a"), **env
    )
    lines = shown.replace(b"\r", b"\n").split(b"\n")
    assert b"step 50" in shown and b"Traceback" not in shown
    if "columns" in env:
        assert max(len(line.split(b"\x1b[2K")[-1]) for line in lines if b"step 50" in line) < 80
    if env is HARSH:
        assert shown.isascii()
    if "TERM" in env:
        assert b"\x1b[2K" not in shown


def test_neither_help_nor_show_waits_for_jax(finished):
    code = "import sys; sys.modules['jax'] = sys.modules['numpy'] = None; from thalweg_cli import main; main()"
    asked = {(name, "--help"): b"Usage: thalweg" for name in ("run", "show", "methods", "problems")}
    asked |= {("--help",): b"Usage: thalweg", ("--version",): b"thalweg ", ("show", str(finished)): b"accuracy"}
    for words, answer in asked.items():
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, timeout=300, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert answer in done.stdout


def test_the_library_alone_imports_no_extra():
    extras = "['rich', 'typer', 'matplotlib', 'sklearn', 'optax', 'scipy.optimize']"
    code = f"import sys, thalweg; print([name for name in {extras} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "[]\n"


def test_without_typer_one_sentence_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from thalweg_cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (2, 'The command line needs typer: pip install "thalweg[cli]".\n')
