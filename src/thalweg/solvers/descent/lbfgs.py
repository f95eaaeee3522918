"""Limited-memory BFGS."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, static_field
from thalweg.core.problem import Problem
from thalweg.core.tree import common_dtype, max_abs, ravel, select, unravel
from thalweg.core.types import Params, Scalar
from thalweg.line_search.protocol import LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.descent.descent import Descent, Direction


class Pairs(NamedTuple):
    r"""The last steps `s` and gradient changes `y` as rows, newest last, `rho = 1/(y's)`, and the scale `gamma`.

    A row of zeros, not yet filled, contributes nothing to the two loops.
    """

    s: jax.Array
    y: jax.Array
    rho: jax.Array
    gamma: Scalar


class LBFGSDirection(Direction):
    r"""\(d = -H\nabla f(x)\), where \(H\) satisfies the last `memory` secant equations \(Hy_i = s_i\).

    Before the first pair \(d\) is the negative gradient with its largest entry scaled to 1: a step of unknown
    scale must not decide the run.
    """

    memory: int = static_field(10)

    def __check_init__(self):
        check_count(self, "memory")

    def init(self, x: Params) -> Pairs:
        """No pairs; `gamma = 0` says so."""
        n, dtype = sum(leaf.size for leaf in jax.tree.leaves(x)), common_dtype(x)
        rows = jnp.zeros((self.memory, n), dtype)
        return Pairs(rows, rows, jnp.zeros(self.memory, dtype), jnp.zeros((), dtype))

    def __call__(self, problem: Problem, x: Params, grad: Params, state: Pairs) -> Params:
        """Two loops over the pairs, newest to oldest and back (Nocedal & Wright, algorithm 7.4)."""
        s, y, rho, gamma = state
        g = ravel(grad)

        def backward(q, pair):
            s, y, rho = pair
            alpha = rho * (s @ q)
            return q - alpha * y, alpha

        def forward(r, pair):
            s, y, rho, alpha = pair
            return r + (alpha - rho * (y @ r)) * s, None

        q, alpha = jax.lax.scan(backward, g, (s, y, rho), reverse=True)
        peak = max_abs(g)
        first = 1 / jnp.where(peak > 0, peak, 1)
        r, _ = jax.lax.scan(forward, jnp.where(gamma > 0, gamma, first) * q, (s, y, rho, alpha))
        return unravel(-r, grad)

    def update(self, state: Pairs, dx: Params, dgrad: Params) -> Pairs:
        """Adds the pair if its curvature is positive beyond rounding; the initial matrix is (s'y / y'y) I."""
        s, y = ravel(dx), ravel(dgrad)
        curvature = s @ y
        peak = jnp.where(max_abs(y) > 0, max_abs(y), 1)
        unit = y / peak  # y'y may overflow or underflow where y does not
        good = (curvature > 0) & (s @ unit > jnp.finfo(s.dtype).eps * max_abs(s))
        new = Pairs(
            jnp.concatenate([state.s[1:], s[None]]),
            jnp.concatenate([state.y[1:], y[None]]),
            jnp.concatenate([state.rho[1:], 1 / curvature[None]]),
            (s @ unit) / (unit @ unit) / peak,
        )
        return select(good, new, state)


def LBFGS(memory: int = 10, search: LineSearch = StrongWolfe()) -> Descent:
    r"""Limited-memory BFGS with a strong-Wolfe line search: the method to try first on whole data.

    \(x_{t+1} = x_t - s_t H_t \nabla f(x_t)\) with \(H_t\) the BFGS matrix of the last `memory` pairs
    \(s_i = x_{i+1} - x_i\), \(y_i = \nabla f(x_{i+1}) - \nabla f(x_i)\), applied without being formed.

    - `memory`: pairs kept, >= 1; 10 to 20 serve most problems. `search`: a `LineSearch`.

    **Needs** a gradient and the same function at every step. Work per step `4 * memory * n` beside the gradient.
    **Guarantee** On smooth, uniformly convex functions linear; in practice close to BFGS.
    **References** Liu & Nocedal 1989, doi:10.1007/BF01589116; Nocedal & Wright 2006,
    doi:10.1007/978-0-387-40065-5, section 7.2.
    """
    return Descent(LBFGSDirection(memory), search)
