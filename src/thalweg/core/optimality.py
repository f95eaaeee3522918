"""The one certificate: how far a point is from first-order optimality."""

import functools

import jax

from thalweg.core.compiled import program
from thalweg.core.fields import is_tracer
from thalweg.core.kkt import estimated_residual, stationarity
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.types import Params, Scalar


def residual(problem: Problem, x: Params, grad: Params) -> Scalar:
    r"""First-order residual from a gradient already at hand.

    \(\|\nabla f(x)\|_\infty\) for a smooth problem; with a nonsmooth part or bounds the prox-gradient residual
    \(\|x - \operatorname{prox}_{h}(x - \nabla f(x))\|_\infty\), which is zero exactly at stationary points; with
    equality or inequality constraints the residual of the KKT system, with estimated multipliers.
    """
    if problem.parts(x) & {Oracle.EQUALITY, Oracle.INEQUALITY}:
        return estimated_residual(problem, x, grad)
    return stationarity(problem, x, grad)


def optimality(problem: Problem, x: Params) -> Scalar:
    """The first-order residual of a `problem` at `x`, at the cost of one gradient.

    Of a latent-variable model it is how far one step of EM moves `x`. It is compiled, and a part of the caller's
    program under a transformation.
    """
    if any(is_tracer(leaf) for leaf in jax.tree.leaves((problem, x))):
        return _certificate(problem, x)
    found, dynamic = program(_certificate, problem, x)
    return found.call(dynamic)


def _certificate(problem: Problem, x: Params) -> Scalar:
    """The same, as a function to compile."""
    return problem.objective.optimality(x, functools.partial(residual, problem))
