"""The mask of Liang, Chen, Liu & Liu 2024 around Polyak's heavy ball."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, beta, accumulate, nesterov, xi):
    """Entry by entry; the example accumulates gradients."""
    assert (accumulate, nesterov) == ("gradients", False)
    xs, n, m = [x0], len(x0), np.zeros_like(x0)
    for _ in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(n):
            m[i] = beta * m[i] + g[i]
        agrees = [1 if m[i] * g[i] > 0 else 0 for i in range(n)]
        for i in range(n):
            x[i] = x[i] - learning_rate * n / (sum(agrees) + xi) * agrees[i] * m[i]
        xs.append(x)
    return xs
