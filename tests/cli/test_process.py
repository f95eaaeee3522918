"""The program itself, as a shell starts it."""

import os
import pty
import subprocess
import sys

import numpy as np
import pytest

from thalweg.run.folder import read_config

COMMAND = [sys.executable, "-c", "from thalweg.cli import main; main()"]
HARSH = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "MPLBACKEND": "TkAgg", "DISPLAY": ""}


def shell(*words, **env):
    return subprocess.run([*COMMAND, *words], capture_output=True, env=os.environ | env, timeout=300, check=False)


def test_the_main_job_in_a_harsh_place(tmp_path):
    """No terminal, no UTF-8, no display: the digits are learnt, and their folder is left."""
    done = shell("run", "digits", "--out", str(tmp_path / "a"), **HARSH)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert done.stdout.decode("ascii").startswith("CONVERGED after")
    with (tmp_path / "a" / "history.csv").open() as file:
        table = [line.rstrip("\n").split(",") for line in file]
    expected = ["step", "epoch", "value", "step_size", "optimality", "validation_value", "validation_accuracy"]
    assert table[0] == expected
    assert float(table[-1][-1]) >= 0.97
    assert table[2][-2:] == ["", ""]
    with np.load(tmp_path / "a" / "parameters.npz", allow_pickle=False) as parameters:
        assert set(parameters) == {"hidden/w", "hidden/b", "output/w", "output/b"}
    assert read_config(tmp_path / "a")["problem"] == "digits"


def test_nobody_reads_on():
    """`thalweg methods --json | true`: no complaint."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "methods", "--json"], stdout=write, stderr=subprocess.PIPE, timeout=300, check=False
    )
    os.close(write)
    assert done.stderr == b""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_the_bar_in_a_terminal(tmp_path):
    """It shows the compilation and the steps, and gives the cursor back."""
    ours, theirs = pty.openpty()
    words = ["run", "quadratic", "--stop", "steps:50", "--out", str(tmp_path / "a")]
    env = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=theirs, env=env) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not block:
                break
            shown += block
        process.wait(timeout=300)
    os.close(ours)
    assert b"compiling" in shown
    assert b"step 50" in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")


def test_the_library_alone_imports_no_extra():
    extras = "['rich', 'typer', 'matplotlib', 'sklearn', 'optax', 'scipy.optimize']"
    code = f"import sys, thalweg; print([name for name in {extras} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "[]\n"


def test_without_typer_one_sentence_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from thalweg.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (2, 'The command line needs typer: pip install "thalweg[cli]".\n')
