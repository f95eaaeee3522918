"""Adan, from algorithm 1 of Xie et al. 2024, without restarts; its betas are those of the paper.

As in the authors' code the means begin at zero and are corrected.
"""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, b3, eps, weight_decay, mask):
    """A mask of matrices spares the one vector."""
    b1, b2, b3 = 1 - b1, 1 - b2, 1 - b3
    decay = 0.0 if mask else weight_decay
    xs, m, v, n, before = [x0], np.zeros_like(x0), np.zeros_like(x0), np.zeros_like(x0), None
    for k in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        difference = np.zeros_like(g) if before is None else g - before
        for i in range(len(x)):
            m[i] = (1 - b1) * m[i] + b1 * g[i]
            v[i] = (1 - b2) * v[i] + b2 * difference[i]
            n[i] = (1 - b3) * n[i] + b3 * (g[i] + (1 - b2) * difference[i]) ** 2
            rate = learning_rate / (np.sqrt(n[i] / (1 - (1 - b3) ** k)) + eps)
            step = m[i] / (1 - (1 - b1) ** k) + (1 - b2) * v[i] / (1 - (1 - b2) ** k)
            x[i] = (x[i] - rate * step) / (1 + decay * learning_rate)
        before = g
        xs.append(x)
    return xs
