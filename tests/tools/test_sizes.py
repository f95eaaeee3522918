"""The house rules, each broken once and kept once at its limit."""

from pathlib import Path

import pytest

from tools import sizes


def messages(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "part.py").write_text(text)
    _, violations, _ = sizes.check_folder(tmp_path)
    return [f"{v.line}: {v.message}" for v in violations]


def function(code_lines: int, head: str = "def f():") -> str:
    body = '    """One.\n\n    Two.\n    """\n\n    # why\n' + "    x = 1\n" * (code_lines - 1)
    return f"{head}\n{body}"


def method(signature: str, decorator: str = "") -> str:
    return f"class A:\n    {decorator}\n    def {signature}: ...\n"


KEPT = {
    "sixty lines beside docstring and comments": function(60),
    "400 lines": "x = 1\n" * 400,
    "two deep": "def f():\n def g():\n  def h(): ...\n",
    "a class starts anew": "def f():\n def g():\n  class A:\n   def a(self):\n    def b(): ...\n",
    "four arguments": method("update(self, a, b, c, d=None, *, e=0, **extra)"),
    "a static method has no self": method("init(a, b, c, d)", "@staticmethod"),
    "not a protocol method": method("fit(self, a, b, c, d, e)"),
    "a function of that name": "def step(a, b, c, d, e): ...\n",
    "one level": "class A(Module): ...\nclass B(A): ...\nclass C(core.A[int]): ...\n",
    "exempt on the line": function(61, "def f():  # sizes: one formula"),
    "exempt above a decorator": "# sizes: one formula\n@jit\n" + function(61),
    "a string is no exemption or call": 's = "# sizes: x"\nt = "super()"\n',
}

BROKEN = {
    "long function": (function(61), "1: f has 61 code lines, at most 60"),
    "long text": ("def f():\n    x = '''" + "\n" * 60 + "'''\n", "1: f has 62 code lines, at most 60"),
    "long file": ("\n" * 401, "1: 401 lines, at most 400"),
    "three deep": ("def f():\n def g():\n  def h():\n   def i(): ...\n", "4: i is nested 3 deep, at most 2"),
    "five arguments": (
        method("step(self, a, b, /, c, d, e)"),
        "3: step takes 5 positional arguments besides self, at most 4",
    ),
    "two levels": (
        "class A: ...\nclass B(A): ...\nclass C(core.B[int]): ...\n",
        "3: C is two levels deep: B is itself a A",
    ),
    "super": (
        "class A:\n def f(self):\n  return [super().f() for _ in x]\n",
        "3: super() is called; variation is a field, not a parent or a guess",
    ),
    "hasattr at the top": (
        "x = hasattr(1, 'a')\n",
        "1: hasattr() is called; variation is a field, not a parent or a guess",
    ),
    "exemption without a reason": (function(61, "def f():  # sizes:"), "1: f has 61 code lines, at most 60"),
    "exemption of the outer function": (
        "# sizes: one formula\ndef f():\n def g():\n  hasattr(1, 'a')\n",
        "4: hasattr() is called; variation is a field, not a parent or a guess",
    ),
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_kept(tmp_path, text):
    assert messages(tmp_path, text) == []


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken(tmp_path, text, message):
    assert messages(tmp_path, text) == [message]


def test_levels_are_counted_across_files(tmp_path):
    (tmp_path / "a.py").write_text("class A: ...\nclass B(A): ...\n")
    assert messages(tmp_path, "class C(B): ...\n") == ["1: C is two levels deep: B is itself a A"]


def test_the_eleventh_exemption_is_one_too_many(tmp_path):
    one = "# sizes: reason\ndef f(): ...\n"
    assert messages(tmp_path, one * 10) == []
    assert messages(tmp_path, one * 11) == ["22: one exemption too many, at most 10"]


def test_exit_status_and_report(tmp_path, capsys):
    assert sizes.main([str(tmp_path)]) == 1, "a folder without files is a mistake"
    (tmp_path / "a.py").write_text("def f(): ...  # sizes: reason\n")
    assert sizes.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"{tmp_path / 'a.py'}:1: f is exempt: reason",
        "1 files, 0 violations, 1 exemptions",
    ]
    (tmp_path / "b.py").write_text("hasattr(1, 'a')\n")
    assert sizes.main([str(tmp_path)]) == 1
