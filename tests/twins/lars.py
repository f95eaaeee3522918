"""LARS for one layer, algorithm 1 of You, Gitman & Ginsburg 2017."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, beta, weight_decay, trust, mask):
    """One vector is one layer; plain momentum if only matrices are scaled."""
    xs, n, m = [x0], len(x0), np.zeros_like(x0)
    for _ in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        local, decay = 1.0, 0.0
        if mask is None:
            x_norm = np.sqrt(sum(entry**2 for entry in x))
            g_norm = np.sqrt(sum(entry**2 for entry in g))
            local, decay = trust * x_norm / (g_norm + weight_decay * x_norm), weight_decay
        for i in range(n):
            m[i] = beta * m[i] + learning_rate * local * (g[i] + decay * x[i])
            x[i] = x[i] - m[i]
        xs.append(x)
    return xs
