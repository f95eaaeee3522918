"""Nonlinear conjugate gradients."""

from typing import ClassVar, Literal, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_real, fail, real_field, static_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import axpy, combine, dot, max_abs, scaled, select, zeros_like
from thalweg.core.types import Evaluation, Key, Params, Scalar
from thalweg.line_search.hager_zhang import HagerZhang
from thalweg.line_search.protocol import LineSearch
from thalweg.solvers.descent.descent import Descent, scale, unit_descent
from thalweg.solvers.descent.direction import Direction, Heading, Taken

_BETA_FORMULAS = ("hager-zhang", "polak-ribiere")


class Conjugate(NamedTuple):
    """The next direction, and the fall that slope and length of the last step promised; 0 before the first step."""

    d: Params
    promise: Scalar


class ConjugateGradientDirection(Direction):
    r"""\(d_{t+1} = -g_{t+1} + \beta_t d_t\), divided by the largest entry of \(g_{t+1}\).

    The division changes no path, because a search only sees \(s\,d\); it keeps products of gradients in range. The
    first trial step promises the fall that the last step promised; where the direction would not descend it is the
    negative gradient.

    - `formula`: of beta, `"hager-zhang"` or `"polak-ribiere"`. `truncation`: in [0, 1). See `ConjugateGradient`.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset()
    takes: ClassVar[frozenset[Oracle]] = frozenset()
    formula: Literal["hager-zhang", "polak-ribiere"] = static_field("hager-zhang")
    truncation: float = real_field(0.4)

    def __check_init__(self):
        if self.formula not in _BETA_FORMULAS:
            fail(self, "formula", self.formula, "'hager-zhang' or 'polak-ribiere'")
        check_real(self, "truncation", 0.0, 1.0, "in [0, 1)", open_high=True)

    def init(self, x: Params) -> Conjugate:
        """There is no direction before the first step."""
        return Conjugate(zeros_like(x), max_abs(x) * 0)

    def __call__(self, problem: Problem, here: Evaluation, state: Conjugate, key: Key) -> Heading:
        """The direction that `update` prepared."""
        fresh = state.promise == 0
        d = select(fresh, unit_descent(here.grad), state.d)
        slope = dot(here.grad, d)
        known = ~fresh & (slope < 0)
        initial_step = jnp.where(known, state.promise / jnp.where(known, slope, 1), 1.0)
        return Heading(d, state, plain=fresh, initial_step=initial_step)

    def update(self, state: Conjugate, taken: Taken) -> Conjugate:
        """The next direction, from the last one and both gradients."""
        peak, last = (scale(seen.grad) for seen in (taken.there, taken.here))
        g, y, before = scaled(1 / peak, taken.there.grad), scaled(1 / last, taken.dgrad), taken.here.grad
        beta = self.beta(g, y, scaled(1 / last, before), taken.d, last / peak)
        d = axpy(beta, taken.d, scaled(-1.0, g))
        descends = jnp.isfinite(beta) & (dot(g, d) < 0)
        promise = taken.step.astype(state.promise.dtype) * dot(before, taken.d)
        return Conjugate(select(descends, d, unit_descent(taken.there.grad)), promise)

    def beta(self, g: Params, y: Params, before: Params, d: Params, ratio: Scalar) -> Scalar:
        r"""\(\beta\) for gradients divided by their largest entries; the last was `ratio` times the new one."""
        if self.formula == "polak-ribiere":
            return jnp.maximum(dot(g, y) / dot(before, before), 0)
        curvature = dot(d, y)
        weight = 2 * dot(y, y) / curvature
        turned = combine(lambda y, d, w: y - w * d, (y, d), weight)
        return jnp.maximum(dot(turned, g) / curvature, ratio * self.truncation * dot(d, before) / dot(d, d))


def ConjugateGradient(
    formula: Literal["hager-zhang", "polak-ribiere"] = "hager-zhang",
    truncation: float = 0.4,
    search: LineSearch = HagerZhang(curvature=0.1),
) -> Descent:
    r"""Nonlinear conjugate gradients: \(d_{t+1} = -g_{t+1} + \beta_t d_t\), in the memory of one direction.

    With \(y = g_{t+1} - g_t\) the factor is, for `"hager-zhang"`,
    \[ \beta_t = \max\Bigl\{\frac{1}{d_t'y}\Bigl(y - 2d_t\frac{\|y\|^2}{d_t'y}\Bigr)'g_{t+1},\;
       \eta\,\frac{d_t'g_t}{\|d_t\|^2}\Bigr\}, \]
    whose directions descend whatever the search, and for `"polak-ribiere"`
    \(\beta_t = \max\{g_{t+1}'y/\|g_t\|^2, 0\}\) (PR+), which restarts where it is 0. Where a direction does not
    descend, and after a failed search, the next one is the negative gradient. The first trial step of a search
    promises the fall that the last step promised.

    - `formula`: see above. `truncation`: \(\eta\) in [0, 1), for Hager and Zhang's formula.
    - `search`: a `LineSearch`; directions stay conjugate only after a step that is nearly exact.

    **Needs** a gradient and the same function at every step.
    **Guarantee** On a strongly convex quadratic with exact search it ends after \(n\) steps, and the value's distance
    from its minimum falls by \(((\sqrt\kappa-1)/(\sqrt\kappa+1))^2\) a step in the mean; on smooth functions with
    bounded level sets and Wolfe steps gradients tend to 0 along a subsequence.
    **References** Hager & Zhang 2005, doi:10.1137/030601880; the truncation: Hager & Zhang 2013,
    doi:10.1137/120898097; Polak & Ribière 1969, doi:10.1051/m2an/196903R100351; PR+: Gilbert & Nocedal 1992,
    doi:10.1137/0802003.
    """
    return Descent(ConjugateGradientDirection(formula, truncation), search)
