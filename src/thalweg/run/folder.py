"""A run on disk: what it was asked (`config.json`), what it found (`result.json`), and its numbers (`parameters.npz`).

Plain formats, each readable without this library; nothing is pickled. Every file appears whole or not at all, but for
the history, which grows with the run.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path

from thalweg.core.types import Params
from thalweg.core.variables import is_array, leaf_name
from thalweg.run.files import whole, write_text

CONFIG, HISTORY, PARAMETERS, CURVES = "config.json", "history.csv", "parameters.npz", "curves.png"
RESULT = "result.json"
"""Written last: a folder that has it is complete."""


def write_json(path: Path, value: Any) -> None:
    """One JSON value, indented."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


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


def write_parameters(x: Params, path: Path) -> None:
    """Every array of the tree under its path, as `np.load(file, allow_pickle=False)` reads it."""
    whole(path, lambda part: write_archive(arrays(x), part))


def write_archive(named: dict[str, np.ndarray], path: Path) -> None:
    """Name -> array, in NumPy's format."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in named.items():
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
