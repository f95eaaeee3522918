"""Files that appear whole or not at all, in folders that belong to one run."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def reserve(path: Path) -> Path:
    """A new folder at `path`, or at `path-2`, `path-3`, ... where there is one with something in it already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, folder = 1, path
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            if folder.is_dir() and not any(folder.iterdir()):
                return folder
            number += 1
            folder = path.with_name(f"{path.name}-{number}")


def whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes beside `path` and moves it there, so that nobody meets half a file."""
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """A text file in UTF-8, with the line ends that `text` has."""
    whole(path, lambda part: part.write_text(text, encoding="utf-8", newline=""))
