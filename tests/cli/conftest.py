"""The command line in this process, in an empty folder, leaving no trace in the interpreter."""

import sys

import jax
import pytest
from typer.testing import CliRunner

from thalweg_cli.app import app


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """An empty working folder; modules of the user's files, the path and the precision as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    modules, x64 = set(sys.modules), jax.config.jax_enable_x64
    yield
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
    jax.config.update("jax_enable_x64", x64)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder that a run left."""
    folder = tmp_path_factory.mktemp("finished") / "a"
    words = ["run", "digits", "--epochs", "3", "--quiet", "--out", str(folder)]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    return folder


@pytest.fixture
def thalweg():
    """`thalweg("run", "digits")` as typed; the result has `exit_code`, `stdout` and `stderr`."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
