"""The units of a layer: the weights that lead to one output, and which axis of a leaf is the output axis."""

from typing import Any

from thalweg.core.fields import fail

_OUTPUT_AXES = ("last", "first")
"""The positions that the output axis of a weight may have."""


def axes_of_a_unit(shape: tuple[int, ...], outputs: str) -> tuple[int, ...]:
    """Returns the axes within one unit: all but the output axis, or the only axis of a vector."""
    axes = tuple(range(len(shape)))
    if len(axes) < 2:
        return axes
    return axes[:-1] if outputs == "last" else axes[1:]


def check_outputs(owner: Any) -> None:
    """Checks that the field `outputs` names a position of the output axis."""
    if owner.outputs not in _OUTPUT_AXES:
        fail(owner, "outputs", owner.outputs, '"last" (inputs @ weight, Flax) or "first" (Equinox, PyTorch)')
