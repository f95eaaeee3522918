"""The one certificate: how far a point is from first-order optimality."""

import functools

import jax
import jax.numpy as jnp

from thalweg.core.kkt import estimated_residual, stationarity
from thalweg.core.objective import Latent
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import max_abs, subtract
from thalweg.core.types import Params, Scalar, real


def residual(problem: Problem, x: Params, grad: Params) -> Scalar:
    r"""First-order residual from a gradient already at hand.

    \(\|\nabla f(x)\|_\infty\) for a smooth problem; with a nonsmooth part or bounds the prox-gradient residual
    \(\|x - \operatorname{prox}_{h}(x - \nabla f(x))\|_\infty\), which is zero exactly at stationary points; with
    equality or inequality constraints the residual of the KKT system, with estimated multipliers.
    """
    if problem.parts(x) & {Oracle.EQUALITY, Oracle.INEQUALITY}:
        return estimated_residual(problem, x, grad)
    return stationarity(problem, x, grad)


def displacement(x: Params, after: Params) -> Scalar:
    r"""How far a fixed-point map moves `x`: the largest entry of a leaf's difference over `max(1, the leaf's largest)`.

    Relative where a leaf is large, because rounding is: the covariances of data of the size 1e6 are of the size 1e12.
    """
    moved = jax.tree.map(lambda old, new: max_abs(subtract(new, old)) / jnp.maximum(max_abs(old), 1), x, after)
    return functools.reduce(jnp.maximum, [real(one) for one in jax.tree.leaves(moved)], real(0.0))


def optimality(problem: Problem, x: Params) -> Scalar:
    """The first-order residual at `x`, at the cost of one gradient; of a latent-variable model, how far EM moves it."""
    if isinstance(problem.objective, Latent):
        return displacement(x, problem.objective.improve(x)[1])
    return residual(problem, x, problem.objective.evaluate(x).grad)
