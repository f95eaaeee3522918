"""What has a kink or a wall: the nonsmooth part of a problem."""

import abc

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.types import Params, Scalar


class Nonsmooth(eqx.Module):
    r"""A convex function \(h\) with a known proximal operator. A set is \(h = 0\) inside and \(\infty\) outside.

    `separable`: \(h\) is a sum over single entries, so that its prox and a box compose exactly.
    """

    @property
    @abc.abstractmethod
    def separable(self) -> bool:
        """Whether `h` is a sum over single entries."""

    @abc.abstractmethod
    def value(self, x: Params) -> Scalar:
        """`h(x)`; a set returns 0 and reports the distance as infeasibility."""

    @abc.abstractmethod
    def prox(self, x: Params, step_size: Scalar) -> Params:
        r"""\(\arg\min_z\; \text{step\_size}\cdot h(z) + \tfrac12\|z-x\|^2\)."""


class Zero(Nonsmooth):
    """No nonsmooth part."""

    @property
    def separable(self) -> bool:
        """Yes."""
        return True

    def value(self, x: Params) -> Scalar:
        """0."""
        return jnp.zeros(())

    def prox(self, x: Params, step_size: Scalar) -> Params:
        """`x`."""
        return x


ZERO = Zero()
