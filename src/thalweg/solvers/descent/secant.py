"""What a step says of the curvature."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.tree import max_abs, ravel
from thalweg.core.types import Scalar
from thalweg.solvers.descent.direction import Taken


class Secant(NamedTuple):
    """A step `s` and the change `y` of the gradient along it, with their `curvature` `s'y`.

    - `gamma`: `s'y / y'y`, the size of an inverse Hessian. `good`: whether `s'y` is positive beyond rounding.
    """

    s: jax.Array
    y: jax.Array
    curvature: Scalar
    gamma: Scalar
    good: Scalar


def secant_pair(taken: Taken) -> Secant:
    """What a step that was taken says of the curvature."""
    s, y = ravel(taken.dx), ravel(taken.dgrad)
    curvature = s @ y
    peak = jnp.where(max_abs(y) > 0, max_abs(y), 1)
    unit = y / peak  # y'y may overflow or underflow where y does not
    along = s @ unit
    good = (curvature > 0) & (along > jnp.finfo(s.dtype).eps * max_abs(s))
    return Secant(s, y, curvature, along / (unit @ unit) / peak, good)
