"""Momentum at every k-th step, on the mean of the k gradients before it."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, beta, accumulate, nesterov, batches):
    """With plain momentum, entry by entry."""
    assert accumulate == "gradients"
    assert not nesterov
    xs, m, seen = [x0], np.zeros_like(x0), []
    for _ in range(steps):
        x = xs[-1].copy()
        seen.append(value_and_grad(x)[1])
        if len(seen) == batches:
            for i in range(len(x)):
                m[i] = beta * m[i] + sum(g[i] for g in seen) / batches
                x[i] = x[i] - learning_rate * m[i]
            seen = []
        xs.append(x)
    return xs
