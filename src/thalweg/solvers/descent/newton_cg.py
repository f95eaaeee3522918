"""Newton's method by conjugate gradients, without a matrix."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_nonnegative, check_positive, check_real, real_field, static_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import max_abs, ravel, unravel
from thalweg.core.types import Evaluation, Key, Params, State
from thalweg.line_search.protocol import LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.descent.descent import Descent
from thalweg.solvers.descent.direction import Direction, Heading, Taken
from thalweg.solvers.descent.truncated_cg import cg_start, is_negative, negative_curvature_search, truncated_newton


class NewtonCGDirection(Direction):
    r"""\(d \approx -\nabla^2 f(x)^{-1}\nabla f(x)\), no longer than a multiple of `x`.

    For the fields see `NewtonCG`.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.HVP})
    takes: ClassVar[frozenset[Oracle]] = frozenset()
    forcing: float = real_field(0.1)
    max_iterations: int = static_field(200)
    max_step: float = real_field(10.0)
    check: float = real_field(1e-2)
    max_search: int = static_field(200)

    def __check_init__(self):
        check_real(self, "forcing", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_count(self, "max_iterations", "max_search")
        check_positive(self, "max_step")
        check_nonnegative(self, "check")

    def init(self, x: Params) -> State:
        """The direction keeps no memory."""
        return ()

    def __call__(self, problem: Problem, here: Evaluation, state: State, key: Key) -> Heading:
        """Conjugate gradients until a small residual, negative curvature, or the largest step."""
        g, hessian = ravel(here.grad), problem.objective.hessian(here.x)

        def hvp(v: jax.Array) -> jax.Array:
            return ravel(hessian(unravel(v, here.x)))

        scale = jnp.maximum(max_abs(here.x), 1).astype(g.dtype)
        radius = jnp.asarray(self.max_step, g.dtype) * scale
        newton = truncated_newton(g, hvp, radius, self.forcing, self.max_iterations)
        met = jax.lax.cond(
            max_abs(g) <= jnp.asarray(self.check, g.dtype),
            lambda: negative_curvature_search(key, hvp, g, self.max_search),
            lambda: cg_start(g),
        )
        negative = is_negative(met)
        away = jnp.where(g @ met.d > 0, -scale, scale) * met.d
        return Heading(
            unravel(jnp.where(negative, away, newton.step), here.grad),
            directional_curvature=jnp.where(negative, met.lowest * scale * scale, 0),
            curvature=jnp.where(met.hvps > 0, jnp.minimum(newton.curvature, met.lowest), jnp.nan),
            negative=negative,
            evals=1,
            hvps=newton.hvps + met.hvps,
        )

    def update(self, state: State, taken: Taken) -> State:
        """A step teaches the direction nothing."""
        return state


def NewtonCG(
    search: LineSearch = StrongWolfe(),
    forcing: float = 0.1,
    max_iterations: int = 200,
    max_step: float = 10.0,
    *,
    check: float = 1e-2,
    max_search: int = 200,
) -> Descent:
    r"""Newton's method with the linear system solved only as well as the gradient is small, without a matrix.

    \(x_{t+1} = x_t + s_t d_t\), where conjugate gradients on \(\nabla^2 f(x_t)\,d = -\nabla f(x_t)\) stop at a
    residual of \(\min\{\eta, \sqrt{\|\nabla f(x_t)\|}\}\,\|\nabla f(x_t)\|\). Where they meet negative curvature, or a
    step longer than `max_step` times \(\max(1, \|x_t\|_\infty)\), \(d_t\) goes on along their direction to that length.

    Where the largest entry of the gradient is at most `check` a random search looks for negative curvature. A direction
    of negative curvature is followed downhill and counts in `Info.optimality`, so a saddle is left, and never taken
    for a minimum. `extra["curvature"]` is the smallest quotient met there, NaN where nothing was searched.

    - `search`: a `LineSearch`; it starts at \(s = 1\). `forcing`: \(\eta\), in (0, 1). `max_step`: > 0.
    - `max_iterations`: products with the Hessian in one step, >= 1.
    - `check`: >= 0; 0 searches only where the gradient is exactly zero. `max_search`: products of a search, >= 1.

    **Needs** a gradient, Hessian-vector products and the same function at every step.
    **Guarantee** Superlinear of order 3/2 near a minimum with a positive definite, Lipschitz Hessian.
    **References** Dembo & Steihaug 1983, doi:10.1007/BF02592055; Nocedal & Wright 2006,
    doi:10.1007/978-0-387-40065-5, algorithm 7.1; Royer, O'Neill & Wright 2020, doi:10.1007/s10107-019-01362-7 (search).
    """
    return Descent(NewtonCGDirection(forcing, max_iterations, max_step, check, max_search), search)
