"""Runs the code blocks of Markdown files: `python tools/snippets.py README.md docs/*.md`.

The Python blocks of a file share a namespace, as a reader would type them one after the other; `bash` and
`console` blocks run in the shell (of a console block, the lines after `$ `). Each file has a temporary working
directory of its own, warnings are errors, and a block below `<!-- not run: reason -->` is skipped.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LANGUAGES = frozenset({"python", "bash", "console"})
FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*(\w*)")
SKIP = re.compile(r"\s*<!--\s*not run:\s*\S.*-->\s*$")


class Block(NamedTuple):
    """A fenced block; `line` is that of its first line of code."""

    language: str
    line: int
    skipped: bool
    code: str


def blocks(text: str) -> Iterator[Block]:
    """The blocks to run or to skip, in order."""
    lines = iter(enumerate(text.splitlines(), start=1))
    above = ""  # the last line that is not blank
    for number, line in lines:
        if fence := FENCE.match(line):
            closing = re.compile(rf"\s*{fence[1]}{fence[1][0]}*\s*$")
            body = []
            for _, inner in lines:
                if closing.match(inner):
                    break
                body.append(inner)
            if fence[2] in LANGUAGES:
                code = textwrap.dedent("\n".join(body)) + "\n"
                yield Block(fence[2], number + 1, bool(SKIP.match(above)), code)
        above = line if line.strip() else above


def run_python(block: Block, path: Path, module: types.ModuleType) -> None:
    """Runs a block; its lines keep their numbers, so a traceback points into the document."""
    program = compile("\n" * (block.line - 1) + block.code, str(path), "exec")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(program, vars(module))


def run_shell(block: Block) -> None:
    """Runs a block in bash, up to the first command that fails."""
    commands = block.code
    if block.language == "console":
        commands = "".join(f"{line[2:]}\n" for line in commands.splitlines() if line.startswith("$ "))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout)
    done.check_returncode()


def succeeds(block: Block, path: Path, module: types.ModuleType) -> bool:
    """Runs a block and prints one line about it; what it printed is shown only if it failed."""
    output = io.StringIO()
    start = time.perf_counter()
    failure = ""
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            run_python(block, path, module) if block.language == "python" else run_shell(block)
    except (Exception, SystemExit):
        failure = traceback.format_exc()
    verdict = "failed" if failure else "ok"
    print(f"{path.name}:{block.line}: {verdict} ({time.perf_counter() - start:.1f} s)", flush=True)
    if failure:
        print(textwrap.indent(output.getvalue() + failure, "    "), flush=True)
    return not failure


def run_file(path: Path) -> tuple[int, int, int]:
    """How many blocks of a file succeeded, failed and were skipped."""
    succeeded = failed = skipped = 0
    sys.modules["snippet"] = module = types.ModuleType("snippet")  # a dataclass looks its module up
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.skipped:
            print(f"{path.name}:{block.line}: not run")
            skipped += 1
            continue
        if succeeds(block, path, module):
            succeeded += 1
        else:
            failed += 1
    return succeeded, failed, skipped


def main(arguments: list[str]) -> int:
    """Runs the files; 1 if a block failed."""
    if not arguments:
        raise SystemExit("usage: python tools/snippets.py FILE...")
    os.environ.setdefault("MPLBACKEND", "Agg")
    total_failed = 0
    for path in [Path(argument).resolve() for argument in arguments]:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            succeeded, failed, skipped = run_file(path)
        print(f"{path.name}: {succeeded} ok, {failed} failed, {skipped} not run")
        total_failed += failed
    return int(total_failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
