"""What has a kink, or is infinite outside a set: the nonsmooth part of a problem."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.tree import max_abs, subtract
from thalweg.core.types import Params, Scalar, ScalarLike

_PROJECTION_ROUNDINGS = 10
"""A projected point that is this many roundings outside its set counts as inside: no arithmetic puts it nearer."""


class Nonsmooth(eqx.Module):
    r"""A convex function \(h\) with a known proximal operator. A set is \(h = 0\) inside and \(\infty\) outside.

    - `separable`: \(h\) is a sum over single entries, so that its prox and a box compose exactly.
    - `is_set`: \(h\) is a set, and its prox the projection, whatever the step size.
    """

    @property
    @abc.abstractmethod
    def separable(self) -> bool:
        """Whether `h` is a sum over single entries."""

    @property
    @abc.abstractmethod
    def is_set(self) -> bool:
        """Whether `h` is a set, on which `prox` projects."""

    @abc.abstractmethod
    def value(self, x: Params) -> Scalar:
        """`h(x)`; a set returns 0 and reports the distance as its violation."""

    @abc.abstractmethod
    def violation(self, x: Params) -> ScalarLike:
        """The largest entry of the way from `x` to the nearest point where `h` is finite; 0 for a penalty."""

    @abc.abstractmethod
    def prox(self, x: Params, step_size: Scalar) -> Params:
        r"""\(\arg\min_z\; \text{step\_size}\cdot h(z) + \tfrac12\|z-x\|^2\)."""


class Zero(Nonsmooth):
    """The nonsmooth part of a problem without one."""

    @property
    def separable(self) -> bool:
        """Zero is a sum over single entries."""
        return True

    @property
    def is_set(self) -> bool:
        """Zero is no set: there is nothing to project on."""
        return False

    def value(self, x: Params) -> Scalar:
        """The value is 0 everywhere."""
        return jnp.zeros(())

    def violation(self, x: Params) -> ScalarLike:
        """No point violates anything."""
        return 0.0

    def prox(self, x: Params, step_size: Scalar) -> Params:
        """The point itself."""
        return x


ZERO = Zero()


def distance(x: Params, nearest: Params) -> Scalar:
    """The largest entry of `x - nearest`, 0 where it is the rounding of numbers of that size in that dtype."""
    gap, size = max_abs(subtract(x, nearest)), max_abs(nearest)
    eps = max((float(jnp.finfo(leaf.dtype).eps) for leaf in jax.tree.leaves(x)), default=0.0)
    return jnp.where(gap <= _PROJECTION_ROUNDINGS * eps * size, jnp.zeros_like(gap), gap)
