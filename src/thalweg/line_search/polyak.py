"""The step that would reach the minimum's value if the function were a straight line."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_real, real_field
from thalweg.core.tree import dot, max_abs
from thalweg.core.types import Evaluation, Scalar, State
from thalweg.line_search.barzilai_borwein import as_divisor
from thalweg.line_search.fixed import taken
from thalweg.line_search.protocol import Found, LineSearch, Ray

_LEVEL_FRACTION = 0.5
"""The part of the way to the level by which a value must fall below the lowest for the level to be lowered further."""


class _Level(NamedTuple):
    """The lowest value so far, and how far below it the next level is."""

    lowest: Scalar
    gap: Scalar


class PolyakStep(LineSearch):
    r"""\(t = \gamma\,(f(x) - p^*)/(-\varphi'(0))\); along the negative gradient \(\gamma\,(f(x) - p^*)/\|g\|^2\).

    Needs no constant of the function but its minimum. One evaluation a step; the value may rise.

    Where \(p^*\) is not known a level \(\min_{j \le k} f(x_j) - \delta_k\) stands for it. \(\delta\) is multiplied by
    `growth` where the new value is below the lowest by half of \(\delta\) or more, and by `shrink` otherwise.

    - `minimum`: \(p^*\), or a lower bound of it, which makes steps too long; None: estimated by a level. Of a problem
      with `maximize=True` it is the maximum, or an upper bound.
    - `scale`: \(\gamma\) in (0, 2).
    - `shrink`: in (0, 1). `growth`: >= 1. Without effect where `minimum` is given.

    **Guarantee** With the true \(p^*\), along the negative gradient of a convex function, every step comes nearer to
    every minimizer: \(\|x_{t+1}-x^*\|^2 \le \|x_t-x^*\|^2 - \gamma(2-\gamma)(f(x_t)-p^*)^2/\|g_t\|^2\). On \(L\)-smooth
    \(\mu\)-strongly convex functions the distance therefore falls by
    \(\sqrt{1-\gamma(2-\gamma)\mu/(4L)}\) a step or better. With a level nothing is proven.
    **References** Polyak 1969, doi:10.1016/0041-5553(69)90061-5; Hazan & Kakade 2019, arXiv:1905.00313. The level:
    Nedić & Bertsekas 2001, doi:10.1137/S1052623499362111, section 2.2, where the level itself must be reached, which a
    step on a strictly convex function never does.
    """

    minimum: float | None = real_field(None)
    scale: float = real_field(1.0)
    shrink: float = real_field(0.5)
    growth: float = real_field(2.0)

    def __check_init__(self):
        if self.minimum is not None:
            check_real(self, "minimum", -jnp.inf, jnp.inf, "a finite number, or None", open_low=True, open_high=True)
        check_real(self, "scale", 0.0, 2.0, "in (0, 2)", open_low=True, open_high=True)
        check_real(self, "shrink", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_real(self, "growth", 1.0, jnp.inf, "a finite number >= 1", open_high=True)

    def init(self, seen: Evaluation) -> State:
        """Nothing, or the level that a first step along the negative gradient with largest entry 1 aims at."""
        if self.minimum is not None:
            return ()
        peak = max_abs(seen.grad)
        unit = jax.tree.map(lambda leaf: leaf / as_divisor(peak, leaf), seen.grad)  # g'g may overflow where g does not
        return _Level(seen.value, (peak * dot(unit, unit)).astype(seen.value.dtype))

    def __call__(self, ray: Ray, memory: State) -> Found:
        """One evaluation, at the end of the step."""
        value, fall = ray.start.value, -ray.start.slope
        down = jnp.where(fall > 0, fall, 1)
        if self.minimum is not None:
            return taken(ray, self.scale * (value - ray.sign * self.minimum) / down)
        found = taken(ray, self.scale * (value - memory.lowest + memory.gap) / down)
        there = found.phi.value
        fell = memory.lowest - there >= _LEVEL_FRACTION * memory.gap
        gap = jnp.where(fell, self.growth, self.shrink) * memory.gap
        return found._replace(memory=_Level(jnp.minimum(memory.lowest, there), gap.astype(value.dtype)))
