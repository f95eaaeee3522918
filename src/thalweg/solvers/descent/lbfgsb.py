"""Limited-memory BFGS within bounds."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, static_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import ravel, select, unravel
from thalweg.core.types import Evaluation, Key, Params, Scalar
from thalweg.line_search.protocol import LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.descent.descent import Descent, downhill
from thalweg.solvers.descent.direction import Direction, Heading, Taken
from thalweg.solvers.descent.lbfgs import SecantPairs, inverse_times, newest_row, no_pairs, remembered
from thalweg.solvers.descent.secant import secant_pair


class Memory(NamedTuple):
    """The pairs of L-BFGS, and beside them the steps as they were made."""

    pairs: SecantPairs
    s: jax.Array


class Model(NamedTuple):
    r"""\(g'z + \tfrac12 z'Bz\) over \(l \le z \le u\), divided by \(\theta\): then \(B = I - W M W'\).

    `w` holds the rows of \(W'\), `inner` is \(M^{-1}\), `m` is \(M\).
    """

    g: jax.Array
    w: jax.Array
    inner: jax.Array
    m: jax.Array
    low: jax.Array
    high: jax.Array


class _Path(NamedTuple):
    r"""A breakpoint of the path \(z(\tau)\), the projection of \(-\tau g\).

    `passed` counts breakpoints up to `time`. Beyond it \(z\) moves along \(d\), which is \(-g\) where no limit was
    reached and 0 elsewhere: `left` is \(d'd\), `p` is \(W'd\), `c` is \(W'z\).
    """

    passed: Scalar
    time: Scalar
    left: Scalar
    p: jax.Array
    c: jax.Array


class LBFGSBDirection(Direction):
    r"""From \(x\) to the minimizer of the model on the face of the box that holds the generalized Cauchy point.

    The model has the BFGS matrix of the last `memory` pairs. Before the first pair the direction is the projected
    gradient step whose largest free entry would be 1. Without bounds it is the direction of L-BFGS.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset()
    takes: ClassVar[frozenset[Oracle]] = frozenset({Oracle.BOUNDS})
    memory: int = static_field(10)

    def __check_init__(self):
        check_count(self, "memory")

    def init(self, x: Params) -> Memory:
        """There are no pairs before the first step."""
        pairs = no_pairs(self.memory, x)
        return Memory(pairs, pairs.t)

    def __call__(self, problem: Problem, here: Evaluation, state: Memory, key: Key) -> Heading:
        """The direction to the minimizer on the face of the Cauchy point, and how far the ray stays in the box."""
        gamma = state.pairs.gamma
        if problem.bounds is None or not sum(leaf.size for leaf in jax.tree.leaves(here.x)):
            d = unravel(-inverse_times(state.pairs, ravel(here.grad)), here.grad)
            return Heading(d, state, plain=gamma == 0)
        x, g = ravel(here.x), ravel(here.grad)
        low, high = (side - x for side in problem.bounds.sides(here.x))
        plain = ravel(downhill(problem, here))
        known = gamma > 0
        model = quadratic_model(state, jnp.where(known, gamma, 0) * g, low, high)
        z, free, c = cauchy_point(model)
        d = subspace_step(model, z, free, c)
        # Rounding can spoil the small systems; no direction may lead uphill.
        good = known & (g @ d < 0) & jnp.all(jnp.isfinite(d))
        d = jnp.where(good, d, plain)
        room = jnp.where(d > 0, high, low) / jnp.where(d == 0, 1, d)
        max_step = jnp.maximum(jnp.min(jnp.where(d == 0, jnp.inf, room), initial=jnp.inf), 1)
        # A step that rounding swallows is no ray to search: at the minimum a search would end only by its last trial.
        max_step = jnp.where(good & jnp.all(x + d == x), 0, max_step)
        return Heading(unravel(d, here.grad), state, plain=~good, max_step=max_step)

    def update(self, state: Memory, taken: Taken) -> Memory:
        """As in L-BFGS: a ray that ends at a bound may show no curvature, and then teaches nothing."""
        pair = secant_pair(taken)
        s = jax.lax.rsqrt(pair.curvature) * pair.s
        steps = jnp.where(newest_row(state.pairs), s, state.s)
        return select(pair.good, Memory(remembered(state.pairs, pair), steps), state)


def quadratic_model(memory: Memory, g: jax.Array, low: jax.Array, high: jax.Array) -> Model:
    r"""The compact form with \(W = [Y/\theta, S]\), \(M^{-1} = \begin{pmatrix}-I & L'\\ L & S'S\end{pmatrix}\).

    Each pair is scaled so that \(s'y = \theta\), which changes nothing in \(B\); \(L\) is the part of \(S'Y/\theta\)
    where the step is newer than the change. Rows not yet filled are 0 and take no part.
    """
    m = len(memory.s)
    size = jnp.sqrt(memory.pairs.gamma)
    s, y = size * memory.s, size * memory.pairs.y
    empty = jnp.where(jnp.any(s != 0, axis=1), jnp.zeros(m, s.dtype), 1)
    age = (memory.pairs.count - 1 - jnp.arange(m, dtype=jnp.int32)) % m
    lower = jnp.where(age[:, None] < age, s @ y.T, 0)
    inner = jnp.block([[-jnp.eye(m, dtype=s.dtype), lower.T], [lower, s @ s.T + jnp.diag(empty)]])
    return Model(g, jnp.concatenate([y, s]), inner, jnp.linalg.inv(inner), low, high)


def cauchy_point(model: Model) -> tuple[jax.Array, jax.Array, jax.Array]:
    r"""The first local minimizer \(z\) of the model along the projected path, where it is free, and \(W'z\).

    Between two breakpoints the model is a parabola with slope \((\tau - 1)\,d'd - p'Mc\) and curvature
    \(d'd - p'Mp\).
    """
    g, w, _, m, low, high = model
    limit = jnp.where(g < 0, high, low)
    times = jnp.where(g == 0, jnp.inf, -limit / jnp.where(g == 0, 1, g))
    order = jnp.argsort(times)
    ends = jnp.append(times[order], jnp.inf)  # the path has no end
    columns, squares = (w * g).T[order], (g**2)[order]
    blocked = times <= 0
    d = jnp.where(blocked, 0, -g)
    start = _Path(jnp.sum(blocked, dtype=jnp.int32), jnp.zeros((), g.dtype), d @ d, w @ d, jnp.zeros(len(w), g.dtype))
    least = jnp.maximum(jnp.finfo(g.dtype).eps * start.left, jnp.finfo(g.dtype).tiny)

    def minimizer(path: _Path) -> Scalar:
        slope = (path.time - 1) * path.left - path.p @ (m @ path.c)
        curvature = path.left - path.p @ (m @ path.p)
        return path.time + jnp.maximum(-slope, 0) / jnp.maximum(curvature, least)

    def beyond(path: _Path) -> Scalar:
        return minimizer(path) >= ends[path.passed]

    def advance(path: _Path) -> _Path:
        i, time = path.passed, ends[path.passed]
        c = path.c + (time - path.time) * path.p
        return _Path(i + 1, time, path.left - squares[i], path.p + columns[i], c)

    path = jax.lax.while_loop(beyond, advance, start)
    time = minimizer(path)
    free = (times > time) & (low < high)
    return jnp.clip(-time * g, low, high), free, path.c + (time - path.time) * path.p


def subspace_step(model: Model, z: jax.Array, free: jax.Array, c: jax.Array) -> jax.Array:
    r"""From \(z\) to the minimizer over the free entries, others held; then back into the box.

    \(v = -(I + W_F(M^{-1} - W_F'W_F)^{-1}W_F')\,r_F\) with \(r = g + Bz\). The minimizer is projected, which may lead
    uphill; then the step from \(z\) toward it stops at the first limit.
    """
    g, w, inner, m, low, high = model
    on_face = jnp.where(free, w, 0)
    r = jnp.where(free, g + z - (m @ c) @ w, 0)
    v = -(r + jnp.linalg.solve(inner - on_face @ on_face.T, on_face @ r) @ on_face)
    projected = jnp.clip(z + v, low, high)
    room = jnp.where(v > 0, high - z, low - z) / jnp.where(v == 0, 1, v)
    share = jnp.min(jnp.where(v == 0, 1, room), initial=1)
    return jnp.where(g @ projected < 0, projected, z + jnp.maximum(share, 0) * v)


def LBFGSB(memory: int = 10, search: LineSearch = StrongWolfe()) -> Descent:
    r"""L-BFGS within bounds: the method to try first on smooth problems in a box.

    With \(m_t(x) = f(x_t) + \nabla f(x_t)'(x - x_t) + \tfrac12(x - x_t)'B_t(x - x_t)\) and \(B_t\) the BFGS matrix of
    the last `memory` pairs, \(x_t^c\) is the first local minimizer of \(m_t\) along the projected path
    \(P(x_t - \tau\nabla f(x_t))\), \(\bar x_t\) the projection of its minimizer over the entries that are free at
    \(x_t^c\), and
    \[ x_{t+1} = x_t + s_t(\bar x_t - x_t) \]
    with \(s_t\) by a search that does not leave the box. Every point at which the objective is asked lies within the
    bounds. Limits may be infinite, or equal, which fixes an entry.

    - `memory`: pairs kept, >= 1. `search`: a `LineSearch`.

    **Needs** a gradient and the same function at every step. **Takes** bounds; without them it is L-BFGS. Work per
    step `12 memory^2 n` beside the gradient, a sort of the breakpoints, and `memory^2` for each that is passed.
    **Guarantee** None is known for nonconvex problems. On a strongly convex one where no multiplier of an active bound
    is 0 the bounds active at the minimum are found after finitely many steps, and the rest is L-BFGS on their face.
    **References** Byrd, Lu, Nocedal & Zhu 1995, doi:10.1137/0916069; Morales & Nocedal 2011,
    doi:10.1145/2049662.2049669 (the projection of the subspace minimizer).
    """
    return Descent(LBFGSBDirection(memory), search)
