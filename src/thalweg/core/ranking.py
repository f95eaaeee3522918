"""Which of two points is better: one definition for the lanes inside a program and for the driver outside of it."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

_FEASIBLE = 1e-6
"""A violation up to here does not count in the comparison of points; in a narrow dtype, up to the root of its eps."""


class Rank(NamedTuple):
    """Orders points: first by the violation that counts, then by value. Lower is better."""

    excess: Any
    value: Any


def ranked(value: Any, violation: Any) -> Rank:
    """The rank of points with these values and violations: arrays of NumPy or JAX, or single numbers of a dtype."""
    xp: Any = np if isinstance(violation, (np.ndarray, np.generic, float)) else jnp
    tolerance = max(_FEASIBLE, float(jnp.finfo(value.dtype).eps) ** 0.5)
    return Rank(xp.where(xp.greater(violation, tolerance), violation, 0.0), value)


def is_at_least_as_good(new: Rank, old: Rank) -> Any:
    """Whether `new` replaces `old` as the best: of equals the later one, whose point is at hand at the end of a run."""
    return (new.excess < old.excess) | ((new.excess == old.excess) & (new.value <= old.value))
