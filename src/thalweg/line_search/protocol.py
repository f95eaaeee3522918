"""What a line search sees and returns."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.types import Evaluation, Scalar, ScalarLike


class Phi(NamedTuple):
    r"""The objective along a ray, \(\varphi(t) = f(x + t d)\).

    Its value, its slope \(\varphi'(t)\), and the evaluation itself.
    """

    value: Scalar
    slope: Scalar
    seen: Evaluation


class Found(NamedTuple):
    """The accepted step and the evaluation made there, so that nothing is evaluated twice.

    `ok` is false where no step lowered the value; `unbounded` is true where the value fell without end.
    """

    step: Scalar
    phi: Phi
    ok: Scalar
    unbounded: Scalar
    count: Scalar


class LineSearch(eqx.Module):
    """Picks a step along a descent ray."""

    @abc.abstractmethod
    def __call__(self, phi: Callable[[Scalar], Phi], phi0: Phi, step0: Scalar) -> Found:
        """Search from the trial step `step0`; `phi0` is the function at 0. Non-finite trials are too far."""


def noise(phi0: Phi) -> Scalar:
    """Differences of values below this are rounding."""
    return 4 * jnp.finfo(phi0.value.dtype).eps * jnp.abs(phi0.value)


def decreased(phi0: Phi, phi: Phi, step: Scalar, fraction: ScalarLike) -> Scalar:
    r"""Whether the value fell by `fraction` of what the slope promised.

    Where the fall is below rounding the slope decides instead: for a quadratic
    \(\varphi(t) \le \varphi(0) + \alpha t \varphi'(0)\) and \(\varphi'(t) \le (2\alpha-1)\varphi'(0)\) say the same
    (Hager & Zhang 2005, doi:10.1137/030601880). Without it no search could end near a minimum.
    """
    armijo = phi.value - phi0.value <= fraction * step * phi0.slope  # a difference: it keeps what a sum rounds away
    rounded = jnp.abs(phi.value - phi0.value) <= noise(phi0)
    by_slope = rounded & (phi.slope <= (2 * fraction - 1) * phi0.slope)
    return armijo | by_slope
