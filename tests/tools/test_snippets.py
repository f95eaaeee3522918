"""Documents of a few blocks, and what is said about each."""

import re

import pytest

from tools import snippets

GOOD = """\
Text.
```python
x = 1
```
### Not a section
```python
assert x == 1
open("kept.txt", "w").close()
```
```bash
## not a heading, and test finds the working directory of the file
test -f kept.txt
```
## A section
- item:

  ```python title="indented"
  assert x == 1
  y = 2
  ```
```
not python
```
~~~python
from dataclasses import dataclass

@dataclass
class A:
    y: "int" = y

assert A().y == 2
~~~
<!-- not run: it takes a day -->

```python
raise ValueError
```
```console
$ echo one
a line of output
$ echo two
```
"""

FAILING = {
    "exception": ("python", "1 / 0", "ZeroDivisionError"),
    "warning": ("python", "import warnings\nwarnings.warn('old', DeprecationWarning)", "old"),
    "exit": ("python", "raise SystemExit(0)", "SystemExit"),
    "syntax": ("python", "def", "SyntaxError"),
    "command": ("bash", "false\ntrue", "CalledProcessError"),
    "console": ("console", "$ echo said; exit 3", "said"),
}


def report(tmp_path, capsys, text: str) -> tuple[int, str]:
    path = tmp_path / "page.md"
    path.write_text(text)
    status = snippets.main([str(path)])
    return status, re.sub(r" \(\d+\.\d s\)", "", capsys.readouterr().out)


def test_good_document(tmp_path, capsys):
    status, output = report(tmp_path, capsys, GOOD)
    assert output.splitlines() == [
        *(f"page.md:{line}: ok" for line in (3, 7, 11, 18, 25)),
        "page.md:36: not run",
        "page.md:39: ok",
        "page.md: 6 ok, 0 failed, 1 not run",
    ]
    assert status == 0


@pytest.mark.parametrize(("language", "code", "shown"), FAILING.values(), ids=FAILING.keys())
def test_failing_block(tmp_path, capsys, language, code, shown):
    status, output = report(tmp_path, capsys, f"```{language}\n{code}\n```\n```python\nprint('quiet')\n```\n")
    assert status == 1
    assert output.startswith("page.md:2: failed\n")
    assert shown in output
    assert "quiet" not in output
    assert output.endswith("page.md: 1 ok, 1 failed, 0 not run\n")


def test_traceback_has_the_line_of_the_document(tmp_path, capsys):
    _, output = report(tmp_path, capsys, "Text.\n\n```python\nx = 1\n1 / 0  # here\n```\n")
    assert 'page.md", line 5' in output
    assert "1 / 0  # here" in output
