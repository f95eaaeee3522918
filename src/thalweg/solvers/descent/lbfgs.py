"""Limited-memory BFGS."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, static_field
from thalweg.core.problem import Problem
from thalweg.core.tree import common_dtype, max_abs, ravel, unravel
from thalweg.core.types import Params, Scalar
from thalweg.line_search.protocol import LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.descent.descent import Descent, Direction


class Pairs(NamedTuple):
    """The last `m` steps and gradient changes as rows of a ring, `rho = 1/(y's)`, and how many were stored."""

    s: jax.Array
    y: jax.Array
    rho: jax.Array
    gamma: Scalar
    count: Scalar


class LBFGSDirection(Direction):
    r"""\(d = -H\nabla f(x)\), where \(H\) satisfies the last `memory` secant equations \(Hy_i = s_i\).

    Before the first pair \(d\) is the negative gradient with its largest entry scaled to 1: a step of unknown
    scale must not decide the run.
    """

    memory: int = static_field(10)

    def __check_init__(self):
        check_count(self, "memory")

    def init(self, x: Params) -> Pairs:
        """No pairs."""
        n, dtype = sum(leaf.size for leaf in jax.tree.leaves(x)), common_dtype(x)
        ring = jnp.zeros((self.memory, n), dtype)
        return Pairs(ring, ring, jnp.zeros(self.memory, dtype), jnp.ones((), dtype), jnp.asarray(0, jnp.int32))

    def __call__(self, problem: Problem, x: Params, grad: Params, state: Pairs) -> Params:
        """Two loops over the pairs, newest to oldest and back (Nocedal & Wright, algorithm 7.4)."""
        g = ravel(grad)
        stored = jnp.minimum(state.count, self.memory)

        def newest_first(i, loop):
            q, alpha = loop
            k = (state.count - 1 - i) % self.memory
            a = state.rho[k] * (state.s[k] @ q)
            return q - a * state.y[k], alpha.at[k].set(a)

        def oldest_first(i, r):
            k = (state.count - stored + i) % self.memory
            b = state.rho[k] * (state.y[k] @ r)
            return r + (alpha[k] - b) * state.s[k]

        q, alpha = jax.lax.fori_loop(0, stored, newest_first, (g, jnp.zeros_like(state.rho)))
        peak = max_abs(g)
        scale = jnp.where(state.count > 0, state.gamma, 1 / jnp.where(peak > 0, peak, 1))
        return unravel(-jax.lax.fori_loop(0, stored, oldest_first, scale * q), grad)

    def update(self, state: Pairs, dx: Params, dgrad: Params) -> Pairs:
        """Stores the pair if its curvature is positive beyond rounding; the initial matrix is (s'y / y'y) I."""
        s, y = ravel(dx), ravel(dgrad)
        curvature = s @ y
        peak = jnp.where(max_abs(y) > 0, max_abs(y), 1)
        unit = y / peak  # y'y may overflow or underflow where y does not
        good = (curvature > 0) & (s @ unit > jnp.finfo(s.dtype).eps * max_abs(s))
        rho = 1 / jnp.where(good, curvature, 1)
        gamma = (s @ unit) / (unit @ unit) / peak
        k = state.count % self.memory

        def put(ring, row):
            return ring.at[k].set(jnp.where(good, row, ring[k]))

        return Pairs(
            put(state.s, s),
            put(state.y, y),
            put(state.rho, rho),
            jnp.where(good, gamma, state.gamma),
            state.count + good.astype(jnp.int32),
        )


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
