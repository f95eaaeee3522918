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
from thalweg.solvers.trust_region.subproblem import QuadraticForm, Spectrum


class LocalModel(NamedTuple):
    r"""The model at \(x\).

    - `value`, `grad`: those of the objective, the gradient as one vector; `aux` as in `Evaluation`.
    - `quadratic`: the model, in the variables \(\mathrm{scale}\cdot p\) in which the region is a ball; `scale`: their
      units.
    - `length`: the unit of the first radius.
    - `evals`: what this took; `product`: evaluations of the objective's derivatives in one product, 1 or 0.
    - `memory`: passed on to `trial`.
    """

    value: Scalar
    grad: jax.Array
    quadratic: QuadraticForm
    length: Scalar
    evals: Evals
    scale: ScalarLike = 1.0
    product: int = 1
    memory: Any = ()
    aux: Any = None


class TrialPoint(NamedTuple):
    """What the objective says at a trial point.

    - `value`: its value there. `slope`: its derivative along the step. `evals`: what this took.
    - `taken`, `refused`: what is remembered if the step is taken or refused.
    """

    value: Scalar
    slope: Scalar
    evals: Evals
    taken: State = ()
    refused: State = ()


class QuadraticModel(eqx.Module):
    r"""\(f(x + p) \approx f(x) + g'p + \tfrac12 p'Hp\): Taylor's, a quasi-Newton or a Gauss-Newton model.

    - `needs`: oracles beyond a gradient and the same function at every step.
    - `exact_hessian`: whether \(H\) is the Hessian, so that negative curvature of the model is that of the objective.

    Both are class variables, or properties where they depend on a field, as in a `Solver`.
    """

    @property
    @abc.abstractmethod
    def needs(self) -> frozenset[Oracle]:
        """What the problem must offer beyond a gradient and the same function at every step."""

    @property
    @abc.abstractmethod
    def exact_hessian(self) -> bool:
        """Whether the model's matrix is the Hessian of the objective."""

    @abc.abstractmethod
    def init(self, problem: Problem, x: Params) -> State:
        """What is remembered from step to step; `()` for nothing."""

    @abc.abstractmethod
    def at(self, problem: Problem, x: Params, memory: State) -> LocalModel:
        """The model of the objective around `x`."""

    @abc.abstractmethod
    def trial(self, problem: Problem, local: LocalModel, x: Params, there: Params) -> TrialPoint:
        """What the objective says at the trial point `there`."""


class TaylorModel(QuadraticModel):
    r"""Gradient and Hessian at \(x\), from one linearization of the gradient a step.

    At the trial point the value and its derivative along the step are taken together, by forward mode: about two
    values' work. The gradient there is taken by the next step, once the point has been accepted.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.HVP})
    exact_hessian: ClassVar[bool] = True

    def init(self, problem: Problem, x: Params) -> State:
        """The model keeps no memory."""
        return ()

    def at(self, problem: Problem, x: Params, memory: State) -> LocalModel:
        """One evaluation of value and gradient, linearized for products with the Hessian."""
        value, grad, hvp, aux = linearized_gradient(problem.objective, x)
        g = ravel(grad)

        def times(v: jax.Array) -> jax.Array:
            return ravel(hvp(unravel(v, x)))

        quadratic = QuadraticForm(g, times, lambda: symmetric_eigendecomposition(_dense(times, g), g, g.size))
        return LocalModel(value, g, quadratic, unit_length(x), problem.evals(value=1, gradient=1), aux=aux)

    def trial(self, problem: Problem, local: LocalModel, x: Params, there: Params) -> TrialPoint:
        """The value there and its derivative along the step, by one pass of forward mode."""
        p = jax.tree.map(jnp.subtract, there, x)
        value, slope = jax.jvp(problem.objective.value, (there,), (p,))
        return TrialPoint(value, slope, problem.evals(value=1))


def linearized_gradient(objective: Objective, x: Params) -> tuple[Scalar, Params, Callable[[Params], Params], Any]:
    """Value, gradient, products with the Hessian, and auxiliary output, from one evaluation."""

    def fun(x: Params) -> tuple[Params, tuple[Scalar, Any]]:
        seen = objective.evaluate(x)
        return seen.grad, (seen.value, seen.aux)

    grad, hvp, (value, aux) = jax.linearize(fun, x, has_aux=True)
    return value, grad, hvp, aux


def unit_length(x: Params) -> Scalar:
    """The largest entry of `x`, but at least 1."""
    return jnp.maximum(max_abs(x), 1)


def _dense(times: Callable[[jax.Array], jax.Array], like: jax.Array) -> jax.Array:
    """The matrix of a symmetric product, column by column; zeros where it is not finite: the model is then linear."""
    matrix = jax.vmap(times)(jnp.eye(like.size, dtype=like.dtype))
    return jnp.where(jnp.all(jnp.isfinite(matrix)), matrix, 0)


def symmetric_eigendecomposition(matrix: jax.Array, grad: jax.Array, hvps: ScalarLike) -> Spectrum:
    """The eigenvalues and eigenvectors of a symmetric matrix, and the slopes along them."""
    values, vectors = jnp.linalg.eigh(matrix)
    slopes, noise = vectors.T @ grad, float(jnp.finfo(values.dtype).eps) * values.size
    # Flat along an eigenvector, and level: what is left there of curvature and slope is rounding.
    flat = jnp.abs(values) <= noise * max_abs(values)
    return Spectrum(values, vectors, jnp.where(flat & (jnp.abs(slopes) <= noise * norm(grad)), 0, slopes), hvps)
