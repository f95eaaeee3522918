"""Docstrings that describe what exists, and those that do not."""

from pathlib import Path

import pytest

from tools import docstrings


def messages(root: Path, text: str) -> list[str]:
    package = root / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("from pack.part import f, A, B\n\n__all__ = ['f', 'A', 'B']\n")
    (package / "part.py").write_text(text)
    files, findings = docstrings.check_folder(root)
    assert files == 2
    return [finding.message for finding in findings]


def function(doc: str, head: str = "def f(a, *, b=1, **others):") -> str:
    return f'{head}\n    r"""Adds.\n\n    {doc}\n    """\n'


def record(doc: str, body: str = "a: int\n    b: int") -> str:
    return f'class A:\n    """A pair.\n\n    {doc}\n    """\n    {body}\n'


KEPT = {
    "items": function("- `a`, `b`: numbers. `others`: ignored."),
    "items that wrap": function(
        "- `a` and\n      `b`: numbers, as in `sum`. Under\n      `jit`: fast. `others` as in `g`."
    ),
    "words": function("The numbers a and b; others are ignored."),
    "a colon after code is no item": function("Of a, b and others, see `jit`: fast."),
    "fields": record("- `a`: one. `b` (two): another."),
    "a property": record("- `a`, `b`, `both`: numbers.", "a: int\n    b: int\n    @property\n    def both(self): ..."),
    "arguments of __init__": record("- `c`: a number.", "def __init__(self, c, _d): ..."),
    "a parent's field": (
        record("- `a`, `b`, `z`: numbers.").replace("A:", "A(B):", 1) + 'class B:\n    """Has z."""\n    z: int\n'
    ),
    "nothing of what is not exported": 'def g(a):\n    """Adds."""\n',
    "a class variable is no field": record("- `a`: a number.", "a: int\n    c: ClassVar[int] = 1"),
}

BROKEN = {
    "an argument that is not there": (
        function("- `a`, `b`, `c`: numbers. `others`: more."),
        ["f: the docstring describes `c`, which is no argument of it"],
    ),
    "an argument without a word": (
        function("- `a`: a number."),
        ["f: the docstring says nothing of the argument `b`", "f: the docstring says nothing of the argument `others`"],
    ),
    "an argument in a formula only": (
        function(r"\(a + b\) and others."),
        ["f: the docstring says nothing of the argument `a`", "f: the docstring says nothing of the argument `b`"],
    ),
    "a field that is not there": (
        record("- `a`: one. `b`: two. `chronology`: the year."),
        ["A: the docstring describes `chronology`, which is no field of it"],
    ),
    "a field without a word": (record("- `a`: one."), ["A: the docstring says nothing of the field `b`"]),
    "private functions too describe what exists": (
        'def g(x):\n    """Adds.\n\n    - `y`: a number.\n    """\n',
        ["g: the docstring describes `y`, which is no argument of it"],
    ),
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_kept(tmp_path, text):
    assert messages(tmp_path, text) == []


@pytest.mark.parametrize(("text", "found"), BROKEN.values(), ids=BROKEN)
def test_broken(tmp_path, text, found):
    assert messages(tmp_path, text) == found


def test_a_module_that_is_passed_on_passes_on_its_functions(tmp_path):
    assert messages(tmp_path, "") == []
    (tmp_path / "pack" / "__init__.py").write_text(
        "if TYPE_CHECKING:\n    from pack import part as part\nelse:\n    __getattr__, __dir__, __all__ = lazy()\n"
    )
    (tmp_path / "pack" / "part.py").write_text('def h(a):\n    """Adds."""\n\ndef _h(a):\n    """Adds."""\n')
    _, findings = docstrings.check_folder(tmp_path)
    assert [finding.message for finding in findings] == ["h: the docstring says nothing of the argument `a`"]


def test_exit_status(tmp_path, capsys):
    assert docstrings.main([str(tmp_path)]) == 1, "a folder without files is a mistake"
    (tmp_path / "a.py").write_text("x = 1\n")
    assert docstrings.main([str(tmp_path)]) == 0
    (tmp_path / "a.py").write_text('def g(x):\n    """Adds.\n\n    - `y`: a number.\n    """\n')
    assert docstrings.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 files, 1 findings"
