"""Polyak's step (Polyak 1969); where the minimum is not known, a level below the lowest value stands for it."""

import numpy as np


def run(value_and_grad, x0, steps, *, minimum, scale, shrink, growth):
    """X <- x - scale (f - target) / |g|^2 g."""
    xs, lowest, gap = [x0], None, None
    for _ in range(steps):
        x = xs[-1]
        value, g = value_and_grad(x)
        if minimum is None:
            if lowest is None:
                lowest, gap = value, (g @ g) / np.abs(g).max()
            else:
                gap *= growth if value <= lowest - gap / 2 else shrink
                lowest = min(value, lowest)
        target = lowest - gap if minimum is None else minimum
        xs.append(x - scale * (value - target) / (g @ g) * g)
    return xs
