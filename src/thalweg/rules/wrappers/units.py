"""The units of a layer: the weights that lead to one output."""

from typing import Any

import jax

from thalweg.core.fields import fail

AXES = (-1, 0)


def axes_of_a_unit(array: jax.Array, output_axis: int) -> tuple[int, ...]:
    """The axes within one unit: all but the outputs', or the only one of a vector."""
    if array.ndim < 2:
        return tuple(range(array.ndim))
    return tuple(axis for axis in range(array.ndim) if axis != output_axis % array.ndim)


def check_output_axis(owner: Any) -> None:
    """The field `output_axis`."""
    if owner.output_axis not in AXES:
        fail(owner, "output_axis", owner.output_axis, "-1 (inputs @ weight, Flax) or 0 (equinox.nn, PyTorch)")
