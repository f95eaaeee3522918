"""Which leaves of the user's tree are optimized, which are held fixed, and what may not start a run."""

import functools
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.sharding import SingleDeviceSharding
from jax.tree_util import DictKey, SequenceKey, keystr

from thalweg.core.types import Params


def is_array(leaf: Any) -> bool:
    """JAX or NumPy array, or NumPy scalar."""
    return _is_array_type(type(leaf)) or isinstance(leaf, jax.Array)  # the latter for tracers, and a microsecond


@functools.cache
def _is_array_type(kind: type) -> bool:
    """Whether all instances of a type are arrays."""
    return issubclass(kind, (jax.Array, np.ndarray, np.generic))


def is_inexact(leaf: Any) -> bool:
    """A floating-point or complex array."""
    return is_array(leaf) and _is_inexact_dtype(leaf.dtype)


@functools.cache
def _is_inexact_dtype(dtype: Any) -> bool:
    """Whether a dtype is floating-point or complex."""
    return bool(jax.numpy.issubdtype(dtype, np.inexact))


def is_numeric(dtype: Any) -> bool:
    """Whether JAX computes with arrays of this dtype: numbers and booleans, no objects, strings or dates."""
    return dtype == np.bool_ or jax.numpy.issubdtype(dtype, np.number)


def is_number_array(leaf: Any) -> bool:
    """An array of numbers or booleans."""
    return is_array(leaf) and is_numeric(leaf.dtype)


class HeldNumber(eqx.Module):
    """A number of the user's tree that is part of the program: the width of a window, the slope of an activation."""

    value: float = eqx.field(static=True)


def _is_held(leaf: Any) -> bool:
    """Whether a leaf stands for a number that is part of the program."""
    return isinstance(leaf, HeldNumber)


def hold(tree: Any) -> Any:
    """`tree` with its Python floats held as parts of the program: our own floats are traced, the user's never."""
    return jax.tree.map(lambda leaf: HeldNumber(leaf) if isinstance(leaf, float) and not is_array(leaf) else leaf, tree)


def release(tree: Any) -> Any:
    """The tree that `hold` was given."""
    return jax.tree.map(lambda leaf: leaf.value if _is_held(leaf) else leaf, tree, is_leaf=_is_held)


def rejoin(x: Params, frozen: Any) -> Params:
    """The user's tree again: `x` where it has a leaf, the frozen leaf elsewhere."""
    if frozen is None:
        return jax.tree.map(lambda leaf: leaf, x)

    def is_leaf(leaf):
        return leaf is None or _is_held(leaf)

    return release(jax.tree.map(lambda a, b: b if a is None else a, x, frozen, is_leaf=is_leaf))


def split(tree: Params, integers: bool = False) -> tuple[Params, Any]:
    """`(variables, frozen)` of a `tree`: floating-point arrays (all arrays of numbers if `integers`), and the rest.

    Each of the two is None where the other has a leaf. `frozen` is None where nothing is held fixed.
    """
    chosen = is_number_array if integers else is_inexact
    leaves, treedef = jax.tree.flatten(tree)
    keep = [chosen(leaf) for leaf in leaves]
    if all(keep):
        return tree, None
    variables = treedef.unflatten([leaf if k else None for leaf, k in zip(leaves, keep, strict=True)])
    frozen = treedef.unflatten([None if k else leaf for leaf, k in zip(leaves, keep, strict=True)])
    return variables, frozen


def check_start(x0: Any, integers: bool = False, called: str = "x0") -> Params:
    """`x0` with a bare number made an array; raises one sentence where it cannot start a run.

    Looks at the values in NumPy, so that nothing is compiled for it.
    """
    if isinstance(x0, (float, np.floating)):
        x0 = np.asarray(x0)
    if isinstance(x0, (list, tuple)) and x0 and all(isinstance(v, (int, float)) for v in x0):
        raise TypeError(f"{called}={x0!r} is a flat list of numbers: write jnp.array({list(map(float, x0))!r}).")
    found = False
    for path, leaf in jax.tree_util.tree_leaves_with_path(x0):
        if isinstance(leaf, (float, complex)) and not is_array(leaf) and _in_containers(path):
            name = called + keystr(path)
            raise TypeError(
                f"{name}={leaf!r} is a Python number, which cannot be optimized: write jnp.asarray({leaf!r})."
            )
        if is_inexact(leaf):
            found = True
            _check_variable_leaf(called, path, leaf)
        found |= integers and is_number_array(leaf)
    if not found:
        leaves = jax.tree.leaves(x0)
        whole = (
            f"jnp.asarray({called}, float)" if jax.tree_util.all_leaves([x0]) else f"jax.tree.map(jnp.float_, {called})"
        )
        cure = f"write {whole}" if leaves else "give it one"
        if any(map(is_number_array, leaves)):
            cure += ", or give integers and bits to a method without gradients, e.g. tw.SimulatedAnnealing"
        raise TypeError(
            f"{called}={short(x0)} holds no {'array' if integers else 'floating-point array'} to optimize: {cure}."
        )
    return x0


def _in_containers(path: tuple) -> bool:
    """Whether only dicts and sequences lead to a leaf, not the fields of a module."""
    return all(isinstance(key, (DictKey, SequenceKey)) for key in path)


def _check_variable_leaf(called: str, path: tuple, leaf: Any) -> None:
    """Refuses complex, NaN and infinite variables, naming the first bad entry."""
    if leaf.dtype.kind == "c":
        cure = "optimize its real and imaginary parts as two real arrays"
        raise TypeError(f"{called}{keystr(path)} is complex ({leaf.dtype}): {cure}.")
    if leaf.dtype == np.longdouble or not leaf.dtype.isnative:
        name = called + keystr(path)
        raise TypeError(f"{name} has dtype {leaf.dtype.str}, which JAX does not know: write {name}.astype(float).")
    found = first_nonfinite(leaf)
    if found is not None:
        place, entry = found
        raise ValueError(f"{called}{keystr(path)}{list(place) or ''} is {entry}: start from finite numbers.")


def first_nonfinite(array: Any) -> tuple[tuple[int, ...], Any] | None:
    """Place and value of the first entry that is not finite, None where all are.

    An array on several devices is gathered only where it holds such an entry.
    """
    if is_sharded(array) and bool(jax.numpy.isfinite(array).all()):
        return None
    entries = np.asarray(array)
    finite = np.isfinite(entries)
    if finite.all():
        return None
    place = tuple(int(i) for i in np.argwhere(~finite)[0])
    return place, entries[place]


def is_sharded(leaf: Any) -> bool:
    """Whether an array lies on several devices, from which it is not to be gathered."""
    return placement(leaf) is not None


def placement(leaf: Any) -> Any:
    """How an array is laid out over several devices; None for one on a single device, and for a tracer."""
    sharding = getattr(leaf, "sharding", None)
    if sharding is None or isinstance(sharding, SingleDeviceSharding) or sharding.num_devices == 1:
        return None
    return sharding


def short(value: Any) -> str:
    """A repr that fits in a sentence."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def leaf_name(path: tuple) -> str:
    """`encoder/w` for a path of keys; the whole tree is `x`."""
    return keystr(path, simple=True, separator="/") or "x"


def entries(name: str, shape: tuple[int, ...]) -> list[str]:
    """A name for every entry of an array: `name[0, 1]`, or `name` itself for a scalar."""
    indices = (", ".join(map(str, index)) for index in np.ndindex(shape))
    return [f"{name}[{index}]" if index else name for index in indices]
