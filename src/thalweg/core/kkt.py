r"""The KKT system of a constrained problem: what is left of it at a point, and multipliers for a point.

With \(L = f + \lambda'h + \mu'c\) a point is stationary where \(\nabla L = 0\) (on a box or a set: where no projected
step along \(-\nabla L\) moves it), \(h = 0\), \(c \le 0\), \(\mu \ge 0\) and \(\mu_i c_i = 0\).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import max_abs, ravel, subtract, unravel
from thalweg.core.types import Params, Scalar, real

_REFINEMENTS = 3
"""Linearizations of the projection on a set: on a face it is linear, so one is exact once the face is found."""


class Multipliers(NamedTuple):
    r"""\(\lambda\) of `equality` and \(\mu\) of `inequality`, entries in the order of their leaves."""

    equality: Any
    inequality: Any


class System(NamedTuple):
    """A point with the constraints there, and the gradient of its Lagrangian."""

    x: Params
    lagrangian: Params
    equality: jax.Array
    inequality: jax.Array


def stationarity(problem: Problem, x: Params, grad: Params) -> Scalar:
    r"""\(\|g\|_\infty\); with a nonsmooth part or bounds \(\|x - \operatorname{prox}(x - g)\|_\infty\)."""
    parts = problem.parts(x) & {Oracle.NONSMOOTH, Oracle.SET, Oracle.BOUNDS}
    if not parts:
        return real(max_abs(grad))
    if problem.bounds is not None and parts == {Oracle.BOUNDS}:  # without x - (x - g), which loses a small g
        low, high = problem.bounds.sides(x)
        return real(max_abs(jnp.clip(-ravel(grad), low - ravel(x), high - ravel(x))))
    step = problem.prox(subtract(x, grad), jnp.ones(()))
    return real(max_abs(jax.tree.map(jnp.subtract, x, step)))


def kkt_residual(problem: Problem, system: System, multipliers: Multipliers) -> Scalar:
    r"""The largest of stationarity, \(|h|\) and \(|\min(\mu, -c)|\), which is 0 where \(0 \le \mu \perp -c \ge 0\)."""
    stationary = stationarity(problem, system.x, system.lagrangian)
    slack = jnp.minimum(multipliers.inequality, -system.inequality)
    return jnp.maximum(stationary, jnp.maximum(real(max_abs(system.equality)), real(max_abs(slack))))


def estimated_residual(problem: Problem, x: Params, grad: Params) -> Scalar:
    """The residual of the KKT system with the multipliers of `estimate`."""
    multipliers, system = estimate(problem, x, grad)
    return kkt_residual(problem, system, multipliers)


def estimate(problem: Problem, x: Params, grad: Params) -> tuple[Multipliers, System]:
    r"""Multipliers for a point, from the gradient there, and the system that they make.

    \(\arg\min_{\lambda,\mu} \|\nabla L\|^2 + \|\operatorname{diag}(c)\,\mu\|^2\), bounds eliminated from the same
    sum, then \(\mu\) clipped at 0 and the rest solved for once more. Least squares of the least norm, so that
    redundant constraints do no harm (Glad & Polak 1979, doi:10.1007/BF01582106).
    """
    h, c, g = problem.equalities(x), problem.inequalities(x), ravel(grad)
    jacobian = constraint_jacobian(problem, x).T
    root = jnp.sqrt(_free(problem, x))
    slack = jnp.concatenate([jnp.zeros(h.shape, g.dtype), c.astype(g.dtype)])
    system = jnp.concatenate([root[:, None] * jacobian, jnp.diag(slack)])
    target = jnp.concatenate([-root * g, jnp.zeros_like(slack)])
    signed = jnp.arange(slack.size) >= h.size
    y = _least_norm_solution(system, target)
    kept = ~signed | (y > 0)
    y = _least_norm_solution(jnp.where(kept, system, 0), target)
    y = jnp.where(signed, jnp.maximum(y, 0), y)
    if problem.nonsmooth.separable is False or problem.parts(x) & {Oracle.NONSMOOTH}:
        y = _refined(problem, x, (g, jacobian, kept & ~(signed & (y == 0)), signed), y)
    lagrangian = unravel(g + jacobian @ y, grad)
    return Multipliers(y[: h.size], y[h.size :]), System(x, lagrangian, h, c)


def constraint_jacobian(problem: Problem, x: Params) -> jax.Array:
    """A row for each entry of `h`, then of `c`; a column for each variable."""

    def constraints(v):
        here = unravel(v, x)
        return jnp.concatenate([problem.equalities(here).astype(v.dtype), problem.inequalities(here).astype(v.dtype)])

    return jax.jacrev(constraints)(ravel(x))


def _free(problem: Problem, x: Params) -> jax.Array:
    r"""How free each entry is of its bounds, \(1/(1 + a^{-2} + b^{-2})\) for the distances \(a, b\) to them.

    It is what the least multipliers of the bounds, \(\min_z (r - z_a + z_b)^2 + a^2z_a^2 + b^2z_b^2\), leave of
    \(r^2\): nothing at a bound.
    """
    flat = ravel(x)
    if problem.bounds is None:
        return jnp.ones_like(flat)
    gaps = [flat - side for side in problem.bounds.sides(x)]
    return 1 / (1 + gaps[0] ** -2 + gaps[1] ** -2)


def _least_norm_solution(a: jax.Array, b: jax.Array) -> jax.Array:
    """The least-squares solution of least norm."""
    return jnp.linalg.lstsq(a, b)[0] if a.shape[1] else jnp.zeros(0, a.dtype)


def _refined(problem: Problem, x: Params, parts: tuple, y: jax.Array) -> jax.Array:
    """Gauss-Newton on the prox-gradient residual of the Lagrangian, for a set that pushes back at the point."""
    g, jacobian, kept, signed = parts

    def moved(v):
        return ravel(problem.prox(unravel(ravel(x) - v, x), jnp.ones(())))

    best, size = y, jnp.inf
    for _ in range(_REFINEMENTS):
        here, push = jax.linearize(moved, g + jacobian @ y)
        gap = ravel(x) - here
        better = max_abs(gap) < size
        best, size = jnp.where(better, y, best), jnp.where(better, max_abs(gap), size)
        slope = -jax.vmap(push, in_axes=1, out_axes=1)(jnp.where(kept, jacobian, 0))
        y = y + _least_norm_solution(slope, -gap)
        y = jnp.where(signed, jnp.maximum(y, 0), y)
    last = max_abs(ravel(x) - moved(g + jacobian @ y))
    return jnp.where(last < size, y, best)
