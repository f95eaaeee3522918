"""The method of Broyden, Fletcher, Goldfarb and Shanno, with a dense matrix."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import common_dtype, max_abs, ravel, select, unravel
from thalweg.core.types import Evaluation, Key, Params, Scalar
from thalweg.line_search.protocol import LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.descent.descent import Descent
from thalweg.solvers.descent.direction import Direction, Heading, Taken
from thalweg.solvers.descent.secant import secant_pair


class InverseHessian(NamedTuple):
    """The matrix `h`; `fresh`: it is the identity, and no pair has told its scale."""

    h: jax.Array
    fresh: Scalar


class BFGSDirection(Direction):
    r"""\(d = -H\nabla f(x)\), where \(H\) satisfies the newest secant equation \(Hy = s\).

    Before the first pair \(d\) is the negative gradient with its largest entry scaled to 1.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset()
    takes: ClassVar[frozenset[Oracle]] = frozenset()

    def init(self, x: Params) -> InverseHessian:
        """The matrix starts as the identity."""
        n = sum(leaf.size for leaf in jax.tree.leaves(x))
        return InverseHessian(jnp.eye(n, dtype=common_dtype(x)), jnp.asarray(True))

    def __call__(self, problem: Problem, here: Evaluation, state: InverseHessian, key: Key) -> Heading:
        """The direction takes one product with the matrix."""
        g = ravel(here.grad)
        peak = max_abs(g)
        scale = jnp.where(state.fresh & (peak > 0), peak, 1)
        return Heading(unravel(state.h @ (-g / scale), here.grad), state, plain=state.fresh)

    def update(self, state: InverseHessian, taken: Taken) -> InverseHessian:
        """The matrix is `(I - s y' / s'y) H (I - y s' / s'y) + s s' / s'y` if `s'y` is positive beyond rounding."""
        pair = secant_pair(taken)
        s, y, rho = pair.s, pair.y, 1 / pair.curvature
        h = jnp.where(state.fresh, pair.gamma, 1) * state.h
        hy = h @ y
        across = s[:, None] * (0.5 * (1 + rho * (y @ hy)) * s - hy)
        return select(pair.good, InverseHessian(h + rho * (across + across.T), jnp.asarray(False)), state)


def BFGS(search: LineSearch = StrongWolfe()) -> Descent:
    r"""BFGS with a strong-Wolfe line search: a few hundred variables, gradients only.

    \(x_{t+1} = x_t - s_t H_t\nabla f(x_t)\), where with \(s = x_{t+1} - x_t\) and
    \(y = \nabla f(x_{t+1}) - \nabla f(x_t)\)

    \[ H_{t+1} = \Bigl(I - \frac{sy'}{s'y}\Bigr) H_t \Bigl(I - \frac{ys'}{s'y}\Bigr) + \frac{ss'}{s'y}, \]

    the matrix nearest to \(H_t\) among the symmetric ones with \(H_{t+1}y = s\). It starts as the identity, scaled by
    \(s'y/y'y\) once there is a pair. A pair whose \(s'y\) is not positive beyond rounding is left out, so \(H_t\) stays
    positive definite.

    - `search`: a `LineSearch`.

    **Needs** a gradient and the same function at every step. Work per step \(4n^2\) beside the gradient; for many
    variables `LBFGS`.
    **Guarantee** Superlinear on smooth, uniformly convex functions.
    **References** Broyden 1970, doi:10.1093/imamat/6.1.76; Fletcher 1970, doi:10.1093/comjnl/13.3.317; Goldfarb 1970,
    doi:10.1090/S0025-5718-1970-0258249-6; Shanno 1970, doi:10.1090/S0025-5718-1970-0274029-X; Nocedal & Wright 2006,
    doi:10.1007/978-0-387-40065-5, algorithm 6.1 and theorem 6.6.
    """
    return Descent(BFGSDirection(), search)
