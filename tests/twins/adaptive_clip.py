"""Adaptive gradient clipping before gradient descent, equation 3 of Brock et al. 2021; the vector is one unit."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, ratio, eps, outputs):
    """One vector."""
    xs = [x0]
    for _ in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        limit = ratio * max(np.sqrt(sum(entry**2 for entry in x)), eps)
        length = np.sqrt(sum(entry**2 for entry in g))
        for i in range(len(x)):
            clipped = g[i] * limit / length if length > limit else g[i]
            x[i] = x[i] - learning_rate * clipped
        xs.append(x)
    return xs
