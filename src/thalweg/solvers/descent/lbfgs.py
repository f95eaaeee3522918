"""Limited-memory BFGS."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, static_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import common_dtype, max_abs, ravel, select, unravel
from thalweg.core.types import Evaluation, Key, Params, Scalar
from thalweg.line_search.protocol import LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.descent.descent import Descent
from thalweg.solvers.descent.direction import Direction, Heading, Taken
from thalweg.solvers.descent.secant import Secant, secant_pair


class SecantPairs(NamedTuple):
    r"""The last steps and gradient changes as rows, each pair scaled so that \(s'y = 1\).

    - `y`: the changes. `t`: the steps, each made orthogonal to the changes that came after it: then
      \(H = (I - T'Y)\,\gamma\,(I - Y'T) + T'T\), whatever the order of the rows.
    - `gamma`: the size of the matrix before the first pair; 0 while there is none.
    - `count`: of the pairs so far; the next takes the row `count % memory`, that of the oldest.

    A row of zeros, not yet filled, contributes nothing.
    """

    t: jax.Array
    y: jax.Array
    gamma: Scalar
    count: Scalar


class LBFGSDirection(Direction):
    r"""\(d = -H\nabla f(x)\), where \(H\) satisfies the last `memory` secant equations \(Hy_i = s_i\).

    Before the first pair \(d\) is the negative gradient with its largest entry scaled to 1: a step of unknown
    scale must not decide the run.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset()
    takes: ClassVar[frozenset[Oracle]] = frozenset()
    memory: int = static_field(10)

    def __check_init__(self):
        check_count(self, "memory")

    def init(self, x: Params) -> SecantPairs:
        """There are no pairs before the first step."""
        return no_pairs(self.memory, x)

    def __call__(self, problem: Problem, here: Evaluation, state: SecantPairs, key: Key) -> Heading:
        """The product of the matrix with the gradient; the matrix itself is never formed."""
        d = unravel(-inverse_times(state, ravel(here.grad)), here.grad)
        return Heading(d, state, plain=state.gamma == 0)

    def update(self, state: SecantPairs, taken: Taken) -> SecantPairs:
        """A pair teaches something if its curvature is positive beyond rounding."""
        pair = secant_pair(taken)
        return select(pair.good, remembered(state, pair), state)


def no_pairs(memory: int, x: Params) -> SecantPairs:
    """A memory without pairs."""
    n, dtype = sum(leaf.size for leaf in jax.tree.leaves(x)), common_dtype(x)
    rows = jnp.zeros((memory, n), dtype)
    return SecantPairs(rows, rows, jnp.zeros((), dtype), jnp.asarray(0, jnp.int32))


def inverse_times(pairs: SecantPairs, g: jax.Array) -> jax.Array:
    """`H g`; before the first pair `g` with its largest entry scaled to 1."""
    peak = max_abs(g)
    first = 1 / jnp.where(peak > 0, peak, 1)
    return two_loops(pairs, g, lambda q: jnp.where(pairs.gamma > 0, pairs.gamma, first) * q)


def two_loops(pairs: SecantPairs, g: jax.Array, first: Callable[[jax.Array], jax.Array]) -> jax.Array:
    """`H g` for the matrix built on `first`: the two loops over the pairs, all pairs of a loop at once."""
    t, y, _, _ = pairs
    alpha = t @ g
    r = first(g - alpha @ y)
    return r + (alpha - y @ r) @ t


def remembered(pairs: SecantPairs, pair: Secant) -> SecantPairs:
    """The newest_row pair in place of the oldest; the initial matrix is (s'y / y'y) I."""
    size = jax.lax.rsqrt(pair.curvature)
    s, y = size * pair.s, size * pair.y
    here = newest_row(pairs)
    older = pairs.t - jnp.outer(pairs.t @ y, s)
    return SecantPairs(jnp.where(here, s, older), jnp.where(here, y, pairs.y), pair.gamma, pairs.count + 1)


def newest_row(pairs: SecantPairs) -> jax.Array:
    """A column that marks the row of the next pair: rows are written where they are, none is moved."""
    memory = len(pairs.t)
    return (jnp.arange(memory, dtype=jnp.int32) == pairs.count % memory)[:, None]


def LBFGS(memory: int = 10, search: LineSearch = StrongWolfe()) -> Descent:
    r"""Limited-memory BFGS with a strong-Wolfe line search: the method to try first on whole data.

    \(x_{t+1} = x_t - s_t H_t \nabla f(x_t)\) with \(H_t\) the BFGS matrix of the last `memory` pairs
    \(s_i = x_{i+1} - x_i\), \(y_i = \nabla f(x_{i+1}) - \nabla f(x_i)\), applied without being formed: with all pairs
    scaled to \(s_i'y_i = 1\) and \(t_i\) the part of \(s_i\) that is orthogonal to all later \(y_j\),
    \(H_t = (I - T'Y)\,\gamma\,(I - Y'T) + T'T\).

    - `memory`: pairs kept, >= 1; 10 to 20 serve most problems. `search`: a `LineSearch`.

    **Needs** a gradient and the same function at every step. Work per step `6 * memory * n` beside the gradient.
    **Guarantee** On smooth, uniformly convex functions linear; in practice close to BFGS.
    **References** Liu & Nocedal 1989, doi:10.1007/BF01589116; Nocedal & Wright 2006,
    doi:10.1007/978-0-387-40065-5, section 7.2.
    """
    return Descent(LBFGSDirection(memory), search)
