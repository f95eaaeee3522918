"""The units of a layer: the weights that lead to one output."""

from typing import Any

from thalweg.core.fields import fail

OUTPUT_AXES = ("last", "first")
"""Which axis of a weight counts outputs."""


def axes_of_a_unit(shape: tuple[int, ...], outputs: str) -> tuple[int, ...]:
    """The axes within one unit: all but the outputs', or the only one of a vector."""
    axes = tuple(range(len(shape)))
    if len(axes) < 2:
        return axes
    return axes[:-1] if outputs == "last" else axes[1:]


def check_outputs(owner: Any) -> None:
    """The field `outputs`."""
    if owner.outputs not in OUTPUT_AXES:
        fail(owner, "outputs", owner.outputs, '"last" (inputs @ weight, Flax) or "first" (Equinox, PyTorch)')
