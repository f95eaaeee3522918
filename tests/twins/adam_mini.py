"""Adam-mini for a vector, algorithm 1 of Zhang et al. 2024: one block."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, weight_decay, outputs, mask):
    """Adam with a number for v; a vector does not decay if only matrices do."""
    xs, n, m, v = [x0], len(x0), np.zeros_like(x0), 0.0
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        v = b2 * v + (1 - b2) * sum(entry**2 for entry in g) / n
        for i in range(n):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            decaying = x[i] if mask is None else 0.0
            d = m[i] / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
            x[i] = x[i] - learning_rate * d - learning_rate * weight_decay * decaying
        xs.append(x)
    return xs
