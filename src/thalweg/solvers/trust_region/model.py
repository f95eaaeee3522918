"""What a trust region knows of the objective near a point."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.objective import Objective
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import max_abs, norm, ravel, unravel
from thalweg.core.types import Evals, Params, Scalar, ScalarLike, State
from thalweg.solvers.trust_region.subproblem import Quadratic, Spectrum


class Local(NamedTuple):
    r"""The model at \(x\).

    - `value`, `grad`: those of the objective, the gradient as one vector; `aux` as in `Evaluation`.
    - `quadratic`: the model, in the variables \(\mathrm{scale}\cdot p\) in which the region is a ball.
    - `length`: the unit of the first radius.
    - `evals`: what this took; `product`: evaluations of the objective's derivatives in one product, 1 or 0.
    - `memory`: passed on to `trial`.
    """

    value: Scalar
    grad: jax.Array
    quadratic: Quadratic
    length: Scalar
    evals: Evals
    scale: ScalarLike = 1.0
    product: int = 1
    memory: Any = ()
    aux: Any = None


class Trial(NamedTuple):
    """The value at a trial point, its derivative along the step, and what is remembered if it is taken or refused."""

    value: Scalar
    slope: Scalar
    evals: Evals
    taken: State = ()
    refused: State = ()


class QuadraticModel(eqx.Module):
    r"""\(f(x + p) \approx f(x) + g'p + \tfrac12 p'Hp\): Taylor's, a quasi-Newton or a Gauss-Newton model.

    - `needs`: oracles beyond a gradient and the same function at every step.
    - `true`: \(H\) is the Hessian, so that negative curvature of the model is that of the objective.
    """

    needs: eqx.AbstractClassVar[frozenset[Oracle]]
    true: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def init(self, problem: Problem, x: Params) -> State:
        """What is remembered from step to step; `()` for nothing."""

    @abc.abstractmethod
    def at(self, problem: Problem, x: Params, memory: State) -> Local:
        """The model at `x`."""

    @abc.abstractmethod
    def trial(self, problem: Problem, local: Local, x: Params, there: Params) -> Trial:
        """The objective at `there`."""


class TaylorModel(QuadraticModel):
    r"""Gradient and Hessian at \(x\), from one linearisation of the gradient a step.

    At the trial point the value and its derivative along the step are taken together, by forward mode: about two
    values' work. The gradient there is taken by the next step, once the point has been accepted.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.HVP})
    true: ClassVar[bool] = True

    def init(self, problem: Problem, x: Params) -> State:
        """No memory."""
        return ()

    def at(self, problem: Problem, x: Params, memory: State) -> Local:
        """See the class."""
        value, grad, hvp, aux = linearised(problem.objective, x)
        g = ravel(grad)

        def times(v: jax.Array) -> jax.Array:
            return ravel(hvp(unravel(v, x)))

        quadratic = Quadratic(g, times, lambda: eigen(dense(times, g), g, g.size))
        return Local(value, g, quadratic, unit_length(x), problem.evals(value=1, gradient=1), aux=aux)

    def trial(self, problem: Problem, local: Local, x: Params, there: Params) -> Trial:
        """One pass of forward mode."""
        p = jax.tree.map(jnp.subtract, there, x)
        value, slope = jax.jvp(problem.objective.value, (there,), (p,))
        return Trial(value, slope, problem.evals(value=1))


def linearised(objective: Objective, x: Params) -> tuple[Scalar, Params, Callable[[Params], Params], Any]:
    """Value, gradient, products with the Hessian, and auxiliary output, from one evaluation."""

    def fun(x: Params) -> tuple[Params, tuple[Scalar, Any]]:
        seen = objective.evaluate(x)
        return seen.grad, (seen.value, seen.aux)

    grad, hvp, (value, aux) = jax.linearize(fun, x, has_aux=True)
    return value, grad, hvp, aux


def unit_length(x: Params) -> Scalar:
    """The largest entry, at least 1."""
    return jnp.maximum(max_abs(x), 1)


def dense(times: Callable[[jax.Array], jax.Array], like: jax.Array) -> jax.Array:
    """The matrix of a symmetric product, column by column; zeros where it is not finite: the model is then linear."""
    matrix = jax.vmap(times)(jnp.eye(like.size, dtype=like.dtype))
    return jnp.where(jnp.all(jnp.isfinite(matrix)), matrix, 0)


def eigen(matrix: jax.Array, grad: jax.Array, hvps: ScalarLike) -> Spectrum:
    """A symmetric matrix taken apart."""
    values, vectors = jnp.linalg.eigh(matrix)
    slopes, noise = vectors.T @ grad, float(jnp.finfo(values.dtype).eps) * values.size
    # Flat along an eigenvector, and level: what is left there of curvature and slope is rounding.
    flat = jnp.abs(values) <= noise * max_abs(values)
    return Spectrum(values, vectors, jnp.where(flat & (jnp.abs(slopes) <= noise * norm(grad)), 0, slopes), hvps)
