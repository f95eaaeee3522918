"""Levenberg & Marquardt as Moré 1978 has it: the multiplier of a radius, by bisection on stacked least squares."""

import math

import numpy as np

from tests.twins.trust_exact import bisect
from tests.twins.trust_region import loop


def run(value_and_grad, x0, steps, *, residuals, radius, max_radius, check, max_search, scaled, **numbers):
    """`residuals(x)` is `(r, J)`. Steps are measured by the largest norms that the columns of J have had."""
    d = np.sqrt(np.sum(residuals(x0)[1] ** 2, 0)) if scaled else np.ones(x0.size)
    state = {"d": d}

    def propose(x, g, radius):
        r, j = residuals(x)
        if scaled:
            state["d"] = np.maximum(state["d"], np.sqrt(np.sum(j**2, 0)))
        d, zeros = state["d"], np.zeros(x.size)

        def p(shift):
            stacked = np.concatenate([j, math.sqrt(shift) * np.diag(d)])
            return -np.linalg.lstsq(stacked, np.concatenate([r, zeros]), rcond=None)[0]

        def length(p):
            return math.sqrt(np.sum((d * p) ** 2))

        shift = 0.0 if length(p(0.0)) <= radius else bisect(lambda s: length(p(s)) > radius, 0.0, 1.0)
        step = p(shift)
        after = r + j @ step
        return step, (r @ r - after @ after) / 2, shift > 0, length(step)

    radius = min(radius * math.sqrt(np.sum((d * x0) ** 2)), max_radius)
    return loop(value_and_grad, x0, steps, propose, radius=radius, max_radius=max_radius, **numbers)
