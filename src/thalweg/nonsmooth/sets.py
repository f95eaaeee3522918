"""Constraint sets as nonsmooth parts: their value is 0, and their proximal operator is the projection."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.fields import check_positive, fail, is_tracer, number, real_field
from thalweg.core.nonsmooth import Nonsmooth, distance
from thalweg.core.tree import axpy, norm, ravel, subtract, unravel
from thalweg.core.types import Params, Scalar
from thalweg.core.variables import is_array, short


class Simplex(Nonsmooth):
    r"""The simplex \(\{x : x_i \ge 0,\ \sum_i x_i = r\}\), over all entries of all leaves together.

    The projection is \(\max(x_i - \theta, 0)\) with the \(\theta\) for which the sum is \(r\); sorting the entries
    finds it.

    - `radius`: \(r\) > 0; 1 for probabilities.

    **References** Held, Wolfe & Crowder 1974, doi:10.1007/BF01580223; Duchi et al. 2008,
    doi:10.1145/1390156.1390191.
    """

    radius: Any = real_field(1.0)

    def __check_init__(self):
        check_positive(self, "radius")

    @property
    def separable(self) -> bool:
        """False: the sum couples the entries."""
        return False

    @property
    def is_set(self) -> bool:
        """True: the projection does not depend on a step size."""
        return True

    def value(self, x: Params) -> Scalar:
        """Returns 0; `violation` tells how far `x` is from the set."""
        return jnp.zeros(())

    def violation(self, x: Params) -> Scalar:
        """Returns the largest entry of the distance from `x` to its projection."""
        return distance(x, self.prox(x, jnp.ones(())))

    def prox(self, x: Params, step_size: Scalar) -> Params:
        """Returns the projection of `x` on the simplex, for any step size."""
        v = ravel(x)
        v = v - jnp.max(v)  # the threshold is a difference of sums, in which a common shift would cancel digits
        down = -jnp.sort(-v)
        radius, count = jnp.asarray(self.radius).astype(v.dtype), jnp.arange(1, v.size + 1, dtype=v.dtype)
        thresholds = (jnp.cumsum(down) - radius) / count
        kept = jnp.sum(down > thresholds)  # at least one: the first threshold is the largest entry minus the radius
        return unravel(jnp.maximum(v - thresholds[kept - 1], 0), x)


class L2Ball(Nonsmooth):
    r"""The Euclidean ball \(\{x : \|x - c\|_2 \le r\}\), over all entries of all leaves together.

    The projection is \(c + (x - c)\,\min(1, r/\|x - c\|_2)\).

    - `radius`: \(r\) > 0. `center`: \(c\), a number for all entries or a tree like `x` whose leaves broadcast.
    """

    radius: Any = real_field(1.0)
    center: Any = eqx.field(default=0.0, converter=lambda c: jax.tree.map(number, c))

    def __check_init__(self):
        check_positive(self, "radius")
        for leaf in jax.tree.leaves(self.center):
            if isinstance(leaf, (bool, str)) or not (isinstance(leaf, float) or is_array(leaf)):
                fail(self, "center", self.center, "a number, or a tree of arrays like x")
            if not is_tracer(leaf) and not np.all(np.isfinite(np.asarray(leaf, float))):
                fail(self, "center", self.center, "finite")

    @property
    def separable(self) -> bool:
        """False: the norm couples the entries."""
        return False

    @property
    def is_set(self) -> bool:
        """True: the projection does not depend on a step size."""
        return True

    def value(self, x: Params) -> Scalar:
        """Returns 0; `violation` tells how far `x` is from the set."""
        return jnp.zeros(())

    def violation(self, x: Params) -> Scalar:
        """Returns the largest entry of the distance from `x` to its projection."""
        return distance(x, self.prox(x, jnp.ones(())))

    def prox(self, x: Params, step_size: Scalar) -> Params:
        """Returns the projection of `x` on the ball, for any step size."""
        center = self.like(x)
        offset = subtract(x, center)
        length = norm(offset)
        radius = jnp.asarray(self.radius).astype(length.dtype)
        outside = length > radius
        shrink = jnp.where(outside, radius / jnp.where(outside, length, 1), 1)
        inner = axpy(shrink, offset, center)
        return jax.tree.map(lambda p, q: jnp.where(outside, q, p), x, inner)

    def like(self, x: Params) -> Params:
        """Returns the center as a tree with the structure, shapes and dtypes of `x`."""
        one = jax.tree_util.all_leaves([self.center])
        if not one and jax.tree.structure(self.center) != jax.tree.structure(x):
            raise ValueError(
                f"L2Ball(center={short(self.center)}): the structure of the center differs from that of x: give one "
                "number, or a tree like x."
            )
        center = jax.tree.map(lambda _: self.center, x) if one else self.center
        for p, c in zip(jax.tree.leaves(x), jax.tree.leaves(center), strict=True):
            if not _broadcasts_to(np.shape(c), p.shape):
                raise ValueError(
                    f"L2Ball: a center of shape {np.shape(c)} does not broadcast to x of shape {p.shape}: give one "
                    "number, or a tree like x."
                )
        return jax.tree.map(lambda p, c: jnp.broadcast_to(jnp.asarray(c).astype(p.dtype), p.shape), x, center)


def _broadcasts_to(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of one shape broadcasts to another shape without changing that."""
    pairs = zip(reversed(shape), reversed(to), strict=False)
    return len(shape) <= len(to) and all(a in (1, b) for a, b in pairs)
