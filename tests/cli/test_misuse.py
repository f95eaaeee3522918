"""Whatever is typed wrongly: exit code 2, one sentence on the error stream, no traceback."""

import sys
from pathlib import Path

import pytest

TYPED = {
    ("run",): "Give a problem, for instance `thalweg run digits`",
    ("run", "rosenbrok"): "There is no problem 'rosenbrok': did you mean 'rosenbrock'?",
    ("run", "qqq"): "There is no problem 'qqq': see `thalweg problems`.",
    ("run", "rosenbrock", "--method", "lbgfs"): "There is no method 'lbgfs': did you mean 'lbfgs'?",
    ("run", "beale", "--set", "memry=3"): "did you mean 'memory'?",
    ("run", "beale", "--set", "memory"): "write name=value",
    ("run", "beale", "--method", "sam", "--set", "inner=adm"): "did you mean 'adam'?",
    ("run", "beale", "--method", "sam", "--set", "inner=lbfgs"): "must be a rule, or a method with one gradient a step",
    ("run", "beale", "--method", "partition", "--set", "rules.0.learning_rate=-1"): "learning_rate=-1",
    ("run", "beale", "--method", "sgd"): "sgd needs learning_rate: add --set learning_rate=0.1.",
    ("run", "beale", "--set", "memory=0"): "memory must be a whole number >= 1",
    ("run", "beale", "--method", "adam", "--set", "b1=fast"): "b1='fast'",
    ("run", "beale", "--stop", "gradnorm:1"): "did you mean 'grad_norm'?",
    ("run", "beale", "--stop", "steps"): "steps takes a number, as in steps:100",
    ("run", "beale", "--stop", "steps:-1"): "count must be a whole number >= 1",
    ("run", "beale", "--stop", "steps:1 |"): "a rule is missing at its end",
    ("run", "beale", "--stop", "(steps:1"): "a parenthesis is not closed",
    ("run", "beale", "--stop", "steps:1 steps:2"): "'steps:2' is not expected there",
    ("run", "beale", "--stop", "patience:3"): "counts validations",
    ("run", "beale", "--keep", "bes"): "keep='bes': choose one of",
    ("run", "beale", "--start", "x1"): "--start is for problems in a file",
    ("run", "lasso", "--method", "adam"): "Adam would ignore nonsmooth=L1(weight=0.1)",
    ("run", "none.py:problem"): "There is no file",
    ("run", "mine.py:problm"): "did you mean 'problem'?",
    ("run", "mine.py", "--start", "x1"): "has no 'x1' (the start; use --start for another name)",
    ("run", "mine.py:number"): "is of type int: give a tw.Problem",
    ("run", "mine.py:broken"): "mine.py:12: NameError: name 'undefined' is not defined",
    ("run", "mine.py:crash"): "mine.py:15: ZeroDivisionError",
    ("run", "mine.py:branch"): "mine.py:18: The loss branch needs a number's value while it is traced",
    ("run", "mine.py:vector"): "The loss vector must return one number",
    ("run", "syntax.py"): "syntax.py:2: SyntaxError",
    ("run", "missing.py"): "missing.py:1: ModuleNotFoundError: No module named 'nothing_like_it'",
    ("run", "leave.py"): "leave.py:2: the file calls exit",
    ("run", "--config", "none.json"): "There is no file none.json",
    ("run", "--config", "half.json"): "half.json cannot be read as JSON",
    ("run", "--config", "list.json"): "holds a list",
    ("run", "--config", "method.json"): "There is no configurable class 'Nope'",
    ("run", "--config", "half"): "half has no config.json: it is not a run's folder",
    ("run", "digits", "--batch-size", "many"): "--batch-size 'many': give a whole number >= 1, or `all`",
    ("run", "digits", "--batch-size", "0"): "batch_size=0: give a whole number >= 1",
    ("run", "digits", "--batch-size", "9999"): "batch_size=9999 is more than the 1437 examples",
    ("run", "digits", "--method", "lbfgs", "--batch-size", "64"): "LBFGS needs the same function at every step",
    ("run", "digits", "--epochs", "-1"): "count must be",
    ("run", "beale", "--epochs", "3"): "needs data to know how long an epoch is",
    ("run", "beale", "--batch-size", "3"): "batch_size=3 needs data",
    ("run", "beale", "--on-nonfinite", "skip"): "on whole data the same step would fail again",
    ("run", "beale", "--on-nonfinite", "jump"): "on_nonfinite='jump': choose one of",
    ("show", "none"): "There is no folder none: give the folder of a run.",
    ("show", "mine.py"): "mine.py is a file: give the folder of a run.",
    ("show",): "There is no run in runs/",
    ("run", "beale", "--out", "mine.py/a"): "The folder mine.py/a cannot be made",
    ("methods", "adm"): "There is no method 'adm': did you mean 'adam'?",
    ("problems", "lass"): "There is no problem 'lass': did you mean 'lasso'?",
}

FILES = {
    "mine.py": """import jax.numpy as jnp

number = 3
x0 = jnp.ones(2)


def problem(x):
    return jnp.sum(x**2)


def broken(x):
    return jnp.sum(x) / undefined

def crash():
    return 1 / 0

def branch(x):
    return jnp.sum(x) if x[0] > 0 else x[1]

def vector(x):
    return x
""",
    "syntax.py": "x = 1\ny = (\n",
    "missing.py": "import nothing_like_it\n",
    "leave.py": "import sys\nsys.exit('bye')\n",
    "half.json": '{"problem": "bea',
    "list.json": "[1]",
    "method.json": '{"problem": "beale", "method": {"type": "Nope"}}',
}


@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_one_sentence(thalweg, words):
    for name, text in FILES.items():
        Path(name).write_text(text)
    Path("half").mkdir()
    (Path("half") / "history.csv").touch()
    done = thalweg(*words)
    assert done.exit_code == 2
    assert TYPED[words] in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_an_unknown_flag_says_which_ones_are_near(thalweg):
    done = thalweg("run", "beale", "--mehtod", "adam")
    assert done.exit_code == 2
    assert "No such option: --mehtod" in done.stderr
    assert "--method" in done.stderr


def test_without_scikit_learn(thalweg, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    done = thalweg("run", "digits")
    assert (done.exit_code, done.stderr) == (2, 'The digits are part of scikit-learn: pip install "thalweg[zoo]".\n')


def test_without_matplotlib_the_rest_is_written(thalweg, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = thalweg("run", "quadratic", "--method", "adam", "--stop", "steps:2", "--out", "a")
    assert done.exit_code == 0
    assert 'pip install "thalweg[plot]"' in done.stderr
    assert {file.name for file in Path("a").iterdir()} == {
        "config.json",
        "history.csv",
        "parameters.npz",
        "result.json",
    }
