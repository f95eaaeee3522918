"""Adaptive cubic regularization (Cartis, Gould & Toint 2011, algorithm 2.1): the multiplier by bisection.

The loop of the trust region, whose radius is 1 / sigma here.
"""

import math

import numpy as np

from tests.twins.trust_exact import bisect
from tests.twins.trust_region import first, loop, matrix


def run(value_and_grad, x0, steps, *, hvp, radius, max_radius, check, max_search, **numbers):
    """`hvp(x, v)` is the Hessian at x times v."""

    def propose(x, g, radius):
        h, sigma = matrix(hvp, x), 1 / radius

        def p(shift):
            return -np.linalg.solve(h + shift * np.eye(x.size), g)

        floor = max(0.0, -np.linalg.eigvalsh(h)[0])
        shift = bisect(lambda s: s == floor or math.sqrt(p(s) @ p(s)) > s / sigma, floor, floor + 1.0)
        step = p(shift)
        length = math.sqrt(step @ step)
        return step, -(g @ step) - step @ h @ step / 2 - sigma * length**3 / 3, True, radius

    g = value_and_grad(x0)[1]
    radius = first(x0, radius, max_radius) ** 2 / math.sqrt(g @ g)
    return loop(value_and_grad, x0, steps, propose, radius=radius, max_radius=max_radius, **numbers)
