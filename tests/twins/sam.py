"""Sharpness-aware minimization with gradient descent inside (Foret et al. 2021, algorithm 1)."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, rho, offset, norms):
    """X <- x - eta grad f(x + rho g / |g|)."""
    assert offset is None
    xs = [x0]
    for _ in range(steps):
        x = xs[-1]
        _, g = value_and_grad(x)
        length = np.sqrt(np.sum(g * g))
        _, worst = value_and_grad(x + rho * g / length)
        xs.append(x - learning_rate * worst)
    return xs
