"""One writer a file: a run that would write where another one writes is refused."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # no such locks on this system: the check is left out
    fcntl = None


class Claim:
    """The right to write a file, until it is given back or the process ends.

    A lock on a file of its own among the temporary ones: the claimed file may be replaced while it is claimed, and
    nothing is left beside it.
    """

    def __init__(self, path: Path):
        self.file = _take(path)

    def release(self) -> None:
        """Gives the right back."""
        if self.file is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.file.name)
            self.file.close()
            self.file = None


def _take(path: Path) -> IO | None:
    """The locked file that stands for `path`; a `ValueError` where another run holds it.

    None where this system has no locks or no room for temporary files: the check is a help, not a condition.
    """
    if fcntl is None:
        return None
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    lock = Path(tempfile.gettempdir()) / f"thalweg-{os.getuid()}-{name}.lock"
    while True:
        try:
            file = lock.open("w")
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ValueError(f"{str(path)!r} is being written by another run: name another file, or wait.") from None
        if _is_there(lock, file):  # else its last owner removed it after it was opened here
            return file
        file.close()


def _is_there(path: Path, file: IO) -> bool:
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
