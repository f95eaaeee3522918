"""The command line `thalweg`. It is a package of its own, so that `thalweg --help` and `show` need not import JAX."""

import os
import sys
from typing import TextIO


def main() -> None:
    """Runs the command line: the entry point of `thalweg`."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # an ASCII terminal shows `?` for a character that it lacks
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
        _flush_quietly(sys.stdout)


def _flush_quietly(stream: TextIO | None) -> None:
    """Flushes a stream, and ignores a reader that has gone (`thalweg methods | head -1`)."""
    if stream is None:
        return
    try:
        stream.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at exit, and would report what is left in the buffer as an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
