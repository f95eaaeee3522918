"""A run on disk: `config.json` to repeat it, `history.csv` to look at it, `parameters.npz` to use it.

Plain formats, each readable without this library; nothing is pickled. Every file appears whole or not at all.
"""

import csv
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path

from thalweg.core.types import Params
from thalweg.core.variables import is_array, leaf_name
from thalweg.run.result import Result

CONFIG, HISTORY, PARAMETERS = "config.json", "history.csv", "parameters.npz"


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


def save(result: Result, folder: Path, config: dict) -> None:
    """Writes the run; `config.json` comes last, so that a folder which has one is complete."""
    whole(folder / HISTORY, lambda file: write_history(result, file))
    whole(folder / PARAMETERS, lambda file: write_parameters(result.x, file))
    whole(folder / CONFIG, lambda file: file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8"))


def read_config(path: Path) -> dict:
    """The configuration in a file, or in a run's folder; a `ValueError` in one sentence where there is none."""
    file = path / CONFIG if path.is_dir() else path
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        cause = f"{path} has no {CONFIG}: that run did not finish" if path.is_dir() else f"There is no file {path}"
        raise ValueError(f"{cause}.") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read as JSON: {error}.") from error
    if not isinstance(config, dict):
        raise ValueError(f"{file} is not a run's configuration: it holds a {type(config).__name__}.")
    return config


def whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes beside `path` and moves it there, so that nobody meets half a file."""
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_history(result: Result, path: Path) -> None:
    """One row a step; the validation columns are empty where nothing was measured."""
    columns = history(result)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(columns)
        out.writerows(zip(*columns.values(), strict=True))


def history(result: Result) -> dict[str, list[str]]:
    """Name -> cells of every column. Numbers are written as short as their dtype can tell them apart."""
    trace, length = result.trace, len(result.trace.value)
    steps = result.first_step + np.arange(length)
    if result.validation is not None:
        steps = np.union1d(steps, result.validation.step).astype(int)
    columns = {"step": steps.astype(str).tolist(), "epoch": epochs(result, steps)}
    for name in ("value", "step_size", "optimality"):
        columns[name] = cells(getattr(trace, name), len(steps))
    if np.any(trace.infeasibility > 0):
        columns["infeasibility"] = cells(trace.infeasibility, len(steps))
    for path, leaf in tree_leaves_with_path(trace.aux):
        columns[f"aux_{leaf_name(path)}"] = cells(leaf, len(steps))
    if result.validation is not None:
        at = np.searchsorted(steps, result.validation.step)
        for name, values in {"value": result.validation.value, **result.validation.metrics}.items():
            filled = np.full(len(steps), "", dtype=object)
            filled[at] = cells(values, len(values))
            columns[f"validation_{name}"] = filled.tolist()
    return columns


def epochs(result: Result, steps: np.ndarray) -> list[str]:
    """Passes over the data at each step; empty without data."""
    if result.epochs is None:
        return [""] * len(steps)
    return [f"{step * result.epochs / max(result.steps, 1):g}" for step in steps.tolist()]


def cells(column: Any, length: int) -> list[str]:
    """The numbers as text, with empty cells up to `length`."""
    text = np.asarray(column).astype(str).tolist()
    return text + [""] * (length - len(text))


def write_parameters(x: Params, path: Path) -> None:
    """Every array of the tree under its path, as `np.load(file, allow_pickle=False)` reads it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays(x).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def arrays(x: Params) -> dict[str, np.ndarray]:
    """Name -> array. Numbers that NumPy's format does not know (bfloat16) are widened to float32."""
    leaves = [(path, leaf) for path, leaf in tree_leaves_with_path(x) if is_array(leaf) and is_numeric(leaf)]
    names = [leaf_name(path) for path, _ in leaves]
    if len(set(names)) < len(names):  # {"a/b": ...} beside {"a": {"b": ...}}
        names = [keystr(path) for path, _ in leaves]
    plain = [np.asarray(leaf) for _, leaf in leaves]
    return {
        name: array.astype(np.float32) if array.dtype.kind == "V" else array
        for name, array in zip(names, plain, strict=True)
    }


def is_numeric(leaf: Any) -> bool:
    """Whether an array holds numbers: random keys and Python objects are none."""
    return leaf.dtype != object and not jnp.issubdtype(leaf.dtype, jax.dtypes.extended)
