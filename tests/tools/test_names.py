"""Small projects that break each rule on names and words once, and one that keeps all."""

from pathlib import Path

import pytest

from tools import names
from tools.modules import read_project
from tools.words import check_words

GOOD = {
    "src/pack/__init__.py": "from pack.a import run\n\n__all__ = ['run']\n",
    "src/pack/a.py": '''
"""A module."""
import other
from pack.b import helper as used
_app = other.App()
MOST = 3
class Seen(other.Thing):
    """An object whose signature names its record."""
    def init(self) -> "Record": ...
class Record:
    """Named by a signature."""
def run(x: int, seen: Seen):
    """Counts what `x` says."""
    return used(x, _MANY), [size for size in x]
_MANY = 2
def _size():
    return _app.size
@_app.command()
def shown():
    """Prints the table of today."""
''',
    "src/pack/b.py": '''
"""Another."""
def helper(a, b): ...
def patched(): ...
ROWS = ()
def by_path(): ...
def in_a_page(): ...
class Configured(Module):
    """An object of the user."""
    size: int
''',
    "tests/test_a.py": """
import pack.b as module
from pack import a
monkeypatch.setattr(module, "patched", None)
a.MOST
[family.ROWS for family in families]
"pack.b:by_path"
""",
    "docs/page.md": "```python\nfrom pack.b import in_a_page\n```\nOf course the color of the center is gray.\n",
}


def project(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def findings(root: Path, files: dict[str, str]) -> list[str]:
    project(root, files)
    found = sorted([*names.check_names(read_project(root)), *check_words(root)])
    return [f"{finding.path.relative_to(root)}: {finding.message}" for finding in found]


def test_kept(tmp_path):
    assert findings(tmp_path, GOOD) == []


BROKEN = {
    "homonyms": (
        {"src/a.py": "def f(): ...\n", "src/b.py": "import a, c\n_f = a.f\n", "src/c.py": "import b\n"},
        ["src/a.py: f: 'f' is also defined in", "src/b.py: _f: 'f' is also defined in"],
    ),
    "a helper, though a local, a field and a keyword have its name": (
        {
            "src/a.py": "def size(): ...\ndef f(size): return size.size\n",
            "src/b.py": "from a import f\nf(size=1).size\n",
        },
        ["src/a.py: size: only this file uses it; call it _size"],
    ),
    "a private name elsewhere": (
        {"src/a.py": "def _f(): ...\n", "src/b.py": "from a import _f\n"},
        ["src/b.py: _f is private to"],
    ),
    "spelling in a name, a comment and a page": (
        {
            "src/a.py": "def _normaliseAll(): ...  # the behaviour\n",
            "README.md": "Centred, labelled, analysed; grey.\n",
        },
        [
            "README.md: 'Centred' is British: spell it as in America",
            "README.md: 'analysed' is British: spell it as in America",
            "README.md: 'grey' is British: spell it as in America",
            "README.md: 'labelled' is British: spell it as in America",
            "src/a.py: 'behaviour' is British: spell it as in America",
            "src/a.py: 'normalise' is British: spell it as in America",
        ],
    ),
    "fillers": (
        {
            "src/a.py": 'class _A:\n    """A record of two words."""\n    def f():\n        """Yes."""\n'
            '    def g():\n        """See the class."""\n    def h():\n        """Of one operation."""\n',
        },
        [
            "src/a.py: f: 'Yes.' cannot be read alone; write a sentence, or leave it out",
            "src/a.py: g: 'See the class.' cannot be read alone; write a sentence, or leave it out",
            "src/a.py: h: 'Of one operation.' cannot be read alone; write a sentence, or leave it out",
        ],
    ),
    "coined words": (
        {"src/a.py": "def _taken_apart(): ...\nclass _A:\n    bend: float\n    def f(self, longest): ...\n"},
        [
            "src/a.py: _taken_apart is a coined word: eigendecomposition says it",
            "src/a.py: bend is a coined word: curvature says it",
            "src/a.py: longest is a coined word: max_step says it",
        ],
    ),
    "phrases": ({"docs/a.md": "It falls for ever.\n"}, ["docs/a.md: 'for ever': say it in plain words"]),
}


@pytest.mark.parametrize(("files", "messages"), BROKEN.values(), ids=BROKEN)
def test_broken(tmp_path, files, messages):
    found = findings(tmp_path, files)
    assert len(found) == len(messages), found
    for line, message in zip(found, messages, strict=True):
        assert line.startswith(message)


RIGHT = (
    "otherwise precise exercise noise promise raise analysis analyses meter parallel controlled modeled size our four"
)


@pytest.mark.parametrize("word", RIGHT.split())
def test_words_that_only_look_british(tmp_path, word):
    assert findings(tmp_path, {"README.md": f"{word} {word.upper()}\n"}) == []


def test_exit_status_and_report(tmp_path, capsys):
    assert names.main([str(tmp_path)]) == 1, "a folder without modules is a mistake"
    project(tmp_path, {"src/a.py": "def f(): ...\ndef _g(): ...\n", "tests/a.py": "import a\na.f()\n"})
    assert names.main([str(tmp_path)]) == 0
    assert names.main([str(tmp_path), "--report"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "1 modules, 2 top-level names: 1 public, 1 private",
        "0 names in more than one module (0.0%), 0 helpers without underscore",
    ]
    project(tmp_path, {"src/b.py": "def f(): ...\n"})
    assert names.main([str(tmp_path)]) == 1
