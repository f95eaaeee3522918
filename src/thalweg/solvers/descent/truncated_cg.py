"""Conjugate gradients that stop where the curvature is not positive, or where they leave a ball; a random search.

All variables are one vector here, and the Hessian is a function `v -> Hv`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.tree import norm
from thalweg.core.types import Key, Scalar, ScalarLike

_SEARCH_TOLERANCE = 1e-4
"""Relative residual at which a random search ends.

Along an eigenvector of negative curvature the residual never shrinks, so one below this has missed it only if the
random start had a smaller component there: a chance of about `1e-4 * sqrt(n)`.
"""
_MAX_REFINEMENTS = 8
"""Steps down the quotient once it is negative, at most."""
_EIGENVECTOR_TOLERANCE = 0.01
"""Residual of an eigenvector, relative to its value, at which the value is known to about the square of this."""
CURVATURE_ROUNDINGS = 100
"""Roundings of the largest curvature below which a negative one may be rounding itself."""


class CG(NamedTuple):
    """Conjugate gradients on `Hs = -b`: the iterate `s`, the residual `r = Hs + b` and its square, the direction `d`.

    `left`: `d` leads out of the region, or its curvature is not positive; `hd` is then `Hd`. `lowest` and `largest`
    are the smallest Rayleigh quotient met, and the largest in absolute value.
    """

    s: jax.Array
    r: jax.Array
    rr: Scalar
    d: jax.Array
    hd: jax.Array
    left: Scalar
    hvps: Scalar
    lowest: Scalar
    largest: Scalar


def _truncated_cg(
    b: jax.Array, hvp: Callable[[jax.Array], jax.Array], radius: float, tolerance: ScalarLike, max_iterations: int
) -> CG:
    """Conjugate gradients from 0 until the residual is at most `tolerance`, or `left`. `b` has norm 1 (or 0)."""
    eps = float(jnp.finfo(b.dtype).eps)

    def going(cg: CG) -> Scalar:
        return ~cg.left & (cg.rr > jnp.asarray(tolerance, b.dtype) ** 2) & (cg.hvps < max_iterations)

    def body(cg: CG) -> CG:
        hd, dd = hvp(cg.d), cg.d @ cg.d
        # Where the Hessian is not finite nothing is known of the curvature: the model is linear.
        hd = jnp.where(jnp.isfinite(cg.d @ hd), hd, 0)
        quotient = (cg.d @ hd) / dd
        largest = jnp.maximum(cg.largest, jnp.abs(quotient))
        alpha = cg.rr / (quotient * dd)
        s = cg.s + alpha * cg.d
        left = (quotient <= eps * largest) | ~(norm(s) < radius)
        r = jnp.where(left, cg.r, cg.r + alpha * hd)
        rr = r @ r
        d = jnp.where(left, cg.d, -r + rr / cg.rr * cg.d)
        lowest = jnp.minimum(cg.lowest, quotient)
        return CG(jnp.where(left, cg.s, s), r, rr, d, hd, left, cg.hvps + 1, lowest, largest)

    return jax.lax.while_loop(going, body, cg_start(b))


def cg_start(b: jax.Array) -> CG:
    """Conjugate gradients before their first step."""
    zeros, infinity = jnp.zeros_like(b), jnp.asarray(jnp.inf, b.dtype)
    none = jnp.asarray(0, jnp.int32)
    return CG(zeros, b, b @ b, -b, zeros, jnp.asarray(False), none, infinity, jnp.zeros_like(infinity))


def negative_curvature_search(
    key: Key, hvp: Callable[[jax.Array], jax.Array], like: jax.Array, max_iterations: int
) -> CG:
    """Looks for negative curvature from a random start; `d` has the quotient `lowest` where it `left`.

    Royer, O'Neill & Wright 2020, doi:10.1007/s10107-019-01362-7: conjugate gradients end only where the Hessian is
    positive definite on all that they have seen. The direction at which they stop may be barely negative; a few steps
    down the quotient itself show how negative the curvature is.
    """
    b = jax.random.normal(key, like.shape, like.dtype)
    cg = _truncated_cg(b / norm(b), hvp, jnp.inf, _SEARCH_TOLERANCE, max_iterations)
    unit = cg.d / norm(cg.d)
    start = _Quotient(unit, cg.hd / norm(cg.d), cg.lowest, jnp.asarray(0, jnp.int32))

    def lower(at: _Quotient) -> _Quotient:
        """The best direction in the plane of `d` and the gradient of its quotient."""
        w = at.hd - at.value * at.d
        w = w / norm(w)
        hw = hvp(w)
        slope, other = w @ at.hd, w @ hw
        value = 0.5 * (at.value + other) - jnp.hypot(0.5 * (at.value - other), slope)
        c, s = slope, value - at.value  # an eigenvector of [[value, slope], [slope, other]]
        c, s = c / jnp.hypot(c, s), s / jnp.hypot(c, s)
        return _Quotient(c * at.d + s * w, c * at.hd + s * hw, value, at.count + 1)

    def going(at: _Quotient) -> Scalar:
        # Beyond this the gradient is rounding, and the plane no longer one of two directions at right angles.
        steep = norm(at.hd - at.value * at.d) > _EIGENVECTOR_TOLERANCE * jnp.abs(at.value)
        return cg.left & (at.value < 0) & steep & (at.count < _MAX_REFINEMENTS)

    end = jax.lax.while_loop(going, lower, start)
    return cg._replace(d=end.d, lowest=end.value, hvps=cg.hvps + end.count)


class _Quotient(NamedTuple):
    """A unit vector `d`, `Hd`, the Rayleigh quotient `d'Hd`, and the products taken."""

    d: jax.Array
    hd: jax.Array
    value: Scalar
    count: Scalar


def is_negative(met: CG) -> Scalar:
    """Whether negative curvature was met beyond rounding."""
    return met.lowest < -CURVATURE_ROUNDINGS * float(jnp.finfo(met.lowest.dtype).eps) * met.largest


def to_boundary(s: jax.Array, d: jax.Array) -> Scalar:
    """The positive root of `|s + tau d| = 1`, without cancellation: conjugate gradients have `s'd >= 0`."""
    dd, sd = d @ d, s @ d
    room = jnp.maximum(1 - s @ s, 0)
    return room / (sd + jnp.sqrt(sd**2 + dd * room))


class Truncated(NamedTuple):
    """A step within the radius, the fall of the model, products, the smallest quotient met, whether at the edge."""

    step: jax.Array
    decrease: Scalar
    hvps: Scalar
    curvature: Scalar
    left: Scalar


def truncated_newton(
    grad: jax.Array,
    hvp: Callable[[jax.Array], jax.Array],
    radius: Scalar,
    forcing: ScalarLike,
    max_iterations: int,
) -> Truncated:
    """Newton's step by conjugate gradients, until the residual is at most `min(forcing, sqrt|g|) |g|`.

    Where they leave the ball the step goes on to its boundary. It is found in units in which gradient and radius are 1,
    so that no square overflows.
    """
    size = norm(grad)
    unit = jnp.where(size > 0, size, 1)
    tolerance = jnp.minimum(jnp.asarray(forcing, grad.dtype), jnp.sqrt(size))
    scale = radius / unit
    cg = _truncated_cg(grad / unit, lambda v: scale * hvp(v), 1.0, tolerance, max_iterations)
    tau = jnp.where(cg.left, to_boundary(cg.s, cg.d), 0)
    s = cg.s + tau * cg.d
    decrease = -0.5 * s @ (grad / unit + cg.r + tau * cg.hd)
    return Truncated(radius * s, decrease * radius * size, cg.hvps, cg.lowest / scale, cg.left)
