"""Residuals taken to be linear, and a line search."""

from typing import ClassVar

import jax.numpy as jnp

from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import max_abs, ravel, unravel
from thalweg.core.types import Evaluation, Key, Params, State
from thalweg.line_search.backtracking import Backtracking
from thalweg.line_search.protocol import LineSearch
from thalweg.solvers.descent.descent import Descent
from thalweg.solvers.descent.direction import Direction, Heading, Taken
from thalweg.solvers.least_squares.model import jacobian, linearised, taken_apart


class GaussNewtonDirection(Direction):
    r"""\(d = -J^+r\): the shortest step that minimises \(\|r + Jd\|\).

    By orthogonal factors of \(J\), whose square is never formed. Where \(d\) is no direction of descent beyond
    rounding it gives way to the negative gradient.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.RESIDUALS})
    takes: ClassVar[frozenset[Oracle]] = frozenset()

    def init(self, x: Params) -> State:
        """No memory."""
        return ()

    def __call__(self, problem: Problem, here: Evaluation, state: State, key: Key) -> Heading:
        """One linearisation of the residuals."""
        at, n = linearised(problem, here.x), ravel(here.x).size
        products = min(n, at.r.size)
        spectrum = taken_apart(jacobian(at, n), at.r, products)
        bent = spectrum.values > 0
        d = -spectrum.vectors @ jnp.where(bent, spectrum.slopes / jnp.where(bent, spectrum.values, 1), 0)
        lost = ~jnp.isfinite(max_abs(d)) | (max_abs(d) == 0)
        g = ravel(here.grad)
        peak = jnp.where(max_abs(g) > 0, max_abs(g), 1)
        return Heading(unravel(jnp.where(lost, -g / peak, d), here.x), plain=lost, evals=1, hvps=products)

    def update(self, state: State, taken: Taken) -> State:
        """Nothing to learn."""
        return state


def GaussNewton(search: LineSearch = Backtracking()) -> Descent:
    r"""Gauss-Newton steps with a line search: \(x_{t+1} = x_t - s_t J_t^+ r(x_t)\), also called damped Gauss-Newton.

    \(J_t^+ r\) solves the linear least-squares problem of the linearised residuals.

    - `search`: default `tw.line_search.Backtracking()`, from the full step \(s = 1\).

    **Needs** residuals and the same function at every step; dense: work \(O(mn^2)\). `hvp` counts columns (or rows)
    of \(J\).
    **Guarantee** With \(J\) of full rank near a solution quadratic where the residuals vanish, linear where they are
    small. Where \(J\) comes close to losing rank it may stall: `tw.LevenbergMarquardt` does not.
    **References** Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 10.3.
    """
    return Descent(GaussNewtonDirection(), search)
