"""Gradient clipping before gradient descent, algorithm 1 of Pascanu, Mikolov & Bengio 2013."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, limit, by):
    """One vector: by "leaf" and by "norm" are the same."""
    xs = [x0]
    for _ in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        length = np.sqrt(sum(entry**2 for entry in g))
        for i in range(len(x)):
            if by == "value":
                clipped = min(max(g[i], -limit), limit)
            else:
                clipped = g[i] * limit / length if length > limit else g[i]
            x[i] = x[i] - learning_rate * clipped
        xs.append(x)
    return xs
