"""`parameters.npz`: the parameters that a run found, readable without this library and without pickle."""

import zipfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path

from thalweg.core.types import Params
from thalweg.core.variables import is_array, leaf_name
from thalweg.run.files import whole


def write_parameters(x: Params, path: Path) -> None:
    """Writes every array of the tree under its path; `np.load(file, allow_pickle=False)` reads them."""
    whole(path, lambda part: _write_archive(named_arrays(x), part))


def _write_archive(named: dict[str, np.ndarray], path: Path) -> None:
    """Writes name -> array in NumPy's npz format."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in named.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def named_arrays(x: Params) -> dict[str, np.ndarray]:
    """Returns name -> array. Dtypes that NumPy's format does not know (bfloat16) become float32."""
    leaves = [(path, leaf) for path, leaf in tree_leaves_with_path(x) if is_array(leaf) and _holds_numbers(leaf)]
    names = [leaf_name(path) for path, _ in leaves]
    if len(set(names)) < len(names):  # {"a/b": ...} beside {"a": {"b": ...}}
        names = [keystr(path) for path, _ in leaves]
    plain = [np.asarray(leaf) for _, leaf in leaves]
    return {
        name: array.astype(np.float32) if array.dtype.kind == "V" else array
        for name, array in zip(names, plain, strict=True)
    }


def _holds_numbers(leaf: Any) -> bool:
    """Whether an array holds numbers, and not random keys or Python objects."""
    return leaf.dtype != object and not jnp.issubdtype(leaf.dtype, jax.dtypes.extended)
