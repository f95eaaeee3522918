"""Errors of the user, each reported in one sentence."""

import contextlib
import difflib
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

MAX_NAMES = 12
"""The largest number of names that a message lists."""


SIGNAL_EXIT_BASE = 128
"""Added to the number of the signal, the exit code of a program that a signal ended."""
_OWN_FOLDERS = (Path(__file__).parent, Path(__file__).parent.with_name("thalweg"))
"""The folders of this library, whose error messages are shown as they are."""


class Misuse(Exception):
    """An error that the user can correct; its text is shown alone, and the exit code is 2."""


def unknown_name(kind: str, name: str, names: Iterable[str], see: str = "") -> Misuse:
    """Returns the error for an unknown name, which suggests the nearest name or lists all of them."""
    names = sorted(names)
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    if near:
        return Misuse(f"There is no {kind} {name!r}: did you mean {near[0]!r}?")
    listed = ", ".join(names) if len(names) <= MAX_NAMES or not see else f"see `{see}`"
    return Misuse(f"There is no {kind} {name!r}: {listed or 'it has none'}.")


@contextlib.contextmanager
def user_file_errors(file: Path | None) -> Iterator[None]:
    """Turns errors of the user into `Misuse`, with the file and line if they come from the user's file.

    Other errors, which are neither from that file nor about the user's input, are raised as they are.
    """
    try:
        yield
    except Misuse:
        raise
    except (Exception, SystemExit) as error:
        line = None if file is None else _line_in_file(file, error)
        if line is None and not isinstance(error, (ValueError, TypeError, ImportError)):
            raise
        where = f"{file}:{line}: " if line is not None else ""
        raise Misuse(where + _error_sentence(error, where)) from error


def _line_in_file(file: Path, error: BaseException | None) -> int | None:
    """Returns the last line of `file` in the traceback of an error or of one of its causes."""
    while error is not None:
        if isinstance(error, SyntaxError) and error.filename == str(file):
            return error.lineno
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        if lines:
            return lines[-1]
        error = error.__cause__ or error.__context__
    return None


def _error_sentence(error: BaseException, where: str) -> str:
    """Returns the first line of an error's text, after its type unless the text is a message of this library."""
    text = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, SyntaxError):
        text = error.msg
    frames = traceback.extract_tb(error.__traceback__)
    ours = bool(frames) and any(Path(frames[-1].filename).is_relative_to(folder) for folder in _OWN_FOLDERS)
    if not where or ours:
        return text
    kind = "the file calls exit" if isinstance(error, SystemExit) else type(error).__name__
    return f"{kind}: {text}" if text else f"{kind}."
