"""The folder of a run: its files and how to read them. Nothing here needs JAX.

All files have plain formats that can be read without this library. Every file is complete as soon as it exists, except
for the history, which grows during the run.
"""

import json
from pathlib import Path

RUNS_FOLDER = Path("runs")
"""The default folder for the folders of runs."""

CONFIG, HISTORY, PARAMETERS, CURVES = "config.json", "history.csv", "parameters.npz", "curves.png"
"""The settings, one row per step, the parameters found, and a figure."""
RESULT = "result.json"
"""The result. It is written last, so a folder that has it is complete."""


def reserve_folder(path: Path) -> Path:
    """Makes a new folder at `path`, or at `path-2`, `path-3`, ... if the folder exists and is not empty."""
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
    """Returns the JSON object in a file, or raises a `ValueError` with one sentence."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"There is no file {file}.") from error
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f"{file} cannot be read as JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} is not from a run: it holds a {type(found).__name__}, not an object.")
    return found


def read_config(path: Path) -> dict:
    """Returns the configuration in a file or in the folder of a run, or raises a `ValueError` with one sentence."""
    if path.is_dir() and not (path / CONFIG).exists():
        raise ValueError(f"{path} has no {CONFIG}: it is not a run's folder.")
    return read_json(path / CONFIG if path.is_dir() else path)
