"""The units of a layer: the weights that lead to one output."""

from typing import Any

import jax

from thalweg.core.fields import fail

OUTPUTS = ("last", "first")
"""Which axis of a weight counts outputs."""


def axes_of_a_unit(array: jax.Array, outputs: str) -> tuple[int, ...]:
    """The axes within one unit: all but the outputs', or the only one of a vector."""
    if array.ndim < 2:
        return tuple(range(array.ndim))
    return tuple(range(array.ndim - 1)) if outputs == "last" else tuple(range(1, array.ndim))


def check_outputs(owner: Any) -> None:
    """The field `outputs`."""
    if owner.outputs not in OUTPUTS:
        fail(owner, "outputs", owner.outputs, '"last" (inputs @ weight, Flax) or "first" (Equinox, PyTorch)')
