"""The minimizer as a differentiable function of whatever the problem is made of."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from thalweg.checks import check_fit, check_measured, check_stop
from thalweg.core.duration import length, resolve
from thalweg.core.iterate import iterate_to_end, start
from thalweg.core.nonsmooth import Zero
from thalweg.core.optimality import optimality
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import GradNorm, Steps, Stop
from thalweg.core.tree import add, common_dtype, norm, ravel, scaled, select, subtract, unravel
from thalweg.core.types import Params, Scalar, real
from thalweg.core.variables import is_inexact, rejoin, short, split
from thalweg.prepare import DEFAULT_STEPS, resolve_method
from thalweg.run.plan import epoch_length

_AIM = 2 / 3
"""The run goes on to `eps**AIM`: an error of the point is an error of the derivatives."""
_DENSE = 1000
"""Up to so many variables an unsymmetric system is solved by elimination, beyond by BiCGStab."""
_MOST_PRODUCTS = 1000
"""Iterations of a linear solver."""


def solution(
    problem: Problem | Callable,
    x0: Params,
    method: Any = None,
    *,
    stop: Stop | None = None,
    tolerance: float | None = None,
    has_status: bool = False,
) -> Any:
    r"""The minimizer of a problem, to be differentiated with respect to whatever the problem is made of.

    Data, penalty weights, bounds, arrays that the objective closes over: the derivative of \(x^\star\) follows from
    the equation that it solves, \(F(x, \theta) = 0\), by the implicit function theorem,
    \(\partial x^\star = -(\partial_x F)^{-1}\,\partial_\theta F\), whatever path the method took. \(F\) is
    \(\nabla f(x)\), or \(x - \operatorname{prox}_h(x - \nabla f(x))\) with a nonsmooth part or bounds. Works under
    `jit`, `vmap`, `grad`, `jacfwd`, `jacrev` and twice.

    - `problem`, `x0`, `method`: as in `minimize`. `x0` has derivative 0.
    - `stop`: default `GradNorm(eps**(2/3)) | Steps(10_000)`.
    - `tolerance`: the first-order residual up to which a point counts as the solution; by default `sqrt(eps)`, or
      whatever `stop` calls CONVERGED. A point beyond it is returned as NaN, and so are its derivatives.
    - `has_status`: return `(x, status)`, where `status` is a `tw.Status` number.

    Needs a problem that is smooth or has a prox, without equality or inequality constraints. Where
    \(\partial_x F\) is singular there is no derivative: one whose linear system was not solved is NaN. Call it under
    `jit`: outside each call compiles.

    **References** Blondel et al. 2022, arXiv:2105.15183; Krantz & Parks 2013, doi:10.1007/978-1-4614-5981-1.
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    x, frozen = split(jax.tree.map(_asarray, x0))
    solver = _checked(problem, x, method)
    eps = max((float(jnp.finfo(leaf.dtype).eps) for leaf in jax.tree.leaves(x)), default=1.0)
    rule = GradNorm(eps**_AIM) | Steps(DEFAULT_STEPS) if stop is None else stop
    check_stop(problem, problem.offers(x), rule)
    check_measured(rule, solver, problem.offers(x))
    per_epoch = epoch_length(problem, solver, None).steps
    solver = resolve(solver, per_epoch, length(rule, per_epoch))
    problem = problem.training(frozen)
    enough = eps**0.5 if tolerance is None else tolerance

    def equation(z: jax.Array) -> jax.Array:
        return ravel(_mapping(problem, unravel(z, x)))

    def solve(_, z: jax.Array) -> tuple[jax.Array, Scalar]:
        found, status = _solved(problem, solver, rule, unravel(z, x))
        accurate = optimality(problem, found) <= enough
        accurate = accurate if tolerance is not None else accurate | (status == Status.CONVERGED.value)
        return jnp.where(accurate, ravel(found), jnp.nan), real(status)  # an integer has no tangent

    symmetric = isinstance(problem.nonsmooth, Zero) and problem.bounds is None
    linear = _conjugate_gradients if symmetric else _eliminate
    z, status = jax.lax.custom_root(equation, ravel(x), solve, linear, has_aux=True)
    found = rejoin(unravel(z, x), frozen)
    return (found, status.astype(jnp.int32)) if has_status else found


def _asarray(leaf: Any) -> Any:
    """Floats as arrays, as in `minimize` only where the whole tree is one."""
    return jnp.asarray(leaf) if is_inexact(leaf) else leaf


def _checked(problem: Problem, x: Params, method: Any) -> Solver:
    """The solver; one sentence where the problem has no solution that could be differentiated."""
    if not jax.tree.leaves(x):
        raise TypeError(f"x0={short(x)} holds no floating-point array to optimize: write jnp.asarray(x0, float).")
    offers = problem.offers(x)
    constraints = sorted(part.value for part in offers & {Oracle.EQUALITY, Oracle.INEQUALITY})
    if constraints:
        raise ValueError(f"solution: {' and '.join(constraints)} constraints are not differentiated; use a penalty.")
    if Oracle.LATENT in offers:
        raise ValueError("solution: a latent-variable model has no gradient; give its log-likelihood as the loss.")
    if Oracle.WHOLE not in offers:
        raise ValueError("solution: the function must be the same at every step: whole data, no random loss.")
    solver, _ = resolve_method(offers, x, method)
    check_fit(problem, offers, solver, None)
    return solver


def _mapping(problem: Problem, x: Params) -> Params:
    """What vanishes at the solution: the gradient, or the prox-gradient step."""
    _, grad = problem.objective.value_and_grad(x)
    if isinstance(problem.nonsmooth, Zero) and problem.bounds is None:
        return grad
    return subtract(x, problem.prox(add(x, scaled(-1.0, grad)), jnp.ones((), common_dtype(x))))


def _solved(problem: Problem, solver: Solver, stop: Stop, x: Params) -> tuple[Params, Scalar]:
    """The point that the run returns, and its status."""
    x = x if problem.bounds is None else problem.bounds.project(x)
    key = jax.random.key(0)
    carry = iterate_to_end(problem, solver, start(problem, solver, x, stop, key), stop, key)
    return select(carry.status == Status.CONVERGED.value, carry.point, carry.state.x), carry.status


def _conjugate_gradients(product: Callable, y: jax.Array) -> jax.Array:
    """The linear system of a Hessian, by its products alone."""
    products = min(10 * y.size, _MOST_PRODUCTS)

    def solve(product, b):
        return jax.scipy.sparse.linalg.cg(product, b, tol=100 * float(jnp.finfo(b.dtype).eps), maxiter=products)[0]

    return jax.lax.custom_linear_solve(product, y, _trusted(solve), symmetric=True)


def _eliminate(product: Callable, y: jax.Array) -> jax.Array:
    """The linear system of a prox-gradient step, which is not symmetric."""

    def solve(product, b):
        if b.size <= _DENSE:
            return _held_first(jax.vmap(product)(jnp.eye(b.size, dtype=b.dtype)).T, b)
        tolerance = 100 * float(jnp.finfo(b.dtype).eps)
        return jax.scipy.sparse.linalg.bicgstab(product, b, tol=tolerance, maxiter=_MOST_PRODUCTS)[0]

    return jax.lax.custom_linear_solve(product, y, _trusted(solve), _trusted(solve))


def _held_first(matrix: jax.Array, b: jax.Array) -> jax.Array:
    """The linear system of a matrix some rows of which are those of the unit matrix: entries that a prox holds.

    They are what `b` says and are taken out first, so that no rounding of the others reaches them.
    """
    unit = jnp.eye(b.size, dtype=b.dtype)
    held = jnp.all(matrix == unit, axis=1)
    known = jnp.where(held, b, 0)
    return jnp.linalg.solve(jnp.where(held, unit, matrix), jnp.where(held, b, b - matrix @ known))


def _trusted(solve: Callable) -> Callable:
    """`solve`, whose result is NaN where it does not solve the system."""

    def checked_solve(product, b):
        t = solve(product, b)
        fits = norm(b - product(t)) <= float(jnp.finfo(b.dtype).eps) ** 0.5 * norm(b)
        return jnp.where(fits, t, jnp.nan)

    return checked_solve
