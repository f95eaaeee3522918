"""The program `thalweg`. It stands outside the library, so that `thalweg --help` and `show` need not import JAX."""

import os
import sys
from typing import TextIO


def main() -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # an ASCII terminal shows `?` for a letter it lacks
    try:
        from thalweg_cli.app import app
    except ImportError as error:
        if error.name not in ("typer", "rich"):
            raise
        print(f'The command line needs {error.name}: pip install "thalweg[cli]".', file=sys.stderr)
        sys.exit(2)
    try:
        app(prog_name="thalweg")
    finally:
        let_go(sys.stdout)


def let_go(stream: TextIO | None) -> None:
    """Flushes, and is content if nobody reads on (`thalweg methods | head -1`), or there is no such stream."""
    if stream is None:
        return
    try:
        stream.flush()
    except BrokenPipeError:
        # What is left in the buffer would be complained about when the interpreter flushes it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
