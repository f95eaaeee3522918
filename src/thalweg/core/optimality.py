"""The one certificate: how far a point is from first-order optimality."""

import jax
import jax.numpy as jnp

from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import max_abs, subtract
from thalweg.core.types import Params, Scalar, real


def residual(problem: Problem, x: Params, grad: Params) -> Scalar:
    r"""First-order residual from a gradient already at hand.

    \(\|\nabla f(x)\|_\infty\) for a smooth problem; with a nonsmooth part or bounds the prox-gradient residual
    \(\|x - \operatorname{prox}_{h}(x - \nabla f(x))\|_\infty\), which is zero exactly at stationary points.
    """
    parts = problem.parts(x)
    if parts & {Oracle.EQUALITY, Oracle.INEQUALITY}:
        raise NotImplementedError("A first-order residual with equality or inequality constraints needs multipliers.")
    if not parts & {Oracle.NONSMOOTH, Oracle.SET, Oracle.BOUNDS}:
        return real(max_abs(grad))
    step = problem.prox(subtract(x, grad), jnp.ones(()))
    return real(max_abs(jax.tree.map(jnp.subtract, x, step)))


def optimality(problem: Problem, x: Params) -> Scalar:
    """`residual` at `x`, at the cost of one gradient."""
    return residual(problem, x, problem.objective.evaluate(x).grad)
