"""The folder of a run: which files it has, and how they are read. Nothing here needs JAX.

Plain formats, each readable without this library. Every file appears whole or not at all, but for the history, which
grows with the run.
"""

import json
from pathlib import Path

RUNS_FOLDER = Path("runs")
"""Where the folders are, unless somebody says otherwise."""

CONFIG, HISTORY, PARAMETERS, CURVES = "config.json", "history.csv", "parameters.npz", "curves.png"
"""What was asked, a row a step, the numbers that were found, a picture."""
RESULT = "result.json"
"""What came of it. Written last: a folder that has it is complete."""


def reserve_folder(path: Path) -> Path:
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


def read_json(file: Path) -> dict:
    """The JSON object in a file; a `ValueError` in one sentence where there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"There is no file {file}.") from error
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f"{file} cannot be read as JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} is not from a run: it holds a {type(found).__name__}.")
    return found


def read_config(path: Path) -> dict:
    """The configuration in a file, or in a run's folder; a `ValueError` in one sentence where there is none."""
    if path.is_dir() and not (path / CONFIG).exists():
        raise ValueError(f"{path} has no {CONFIG}: it is not a run's folder.")
    return read_json(path / CONFIG if path.is_dir() else path)
