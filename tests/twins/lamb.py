"""LAMB for one layer, algorithm 2 of You et al. 2020."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, weight_decay, mask):
    """One vector is one layer; Adam if only matrices are scaled."""
    xs, n, m, v = [x0], len(x0), np.zeros_like(x0), np.zeros_like(x0)
    for t in range(1, steps + 1):
        x, r = xs[-1].copy(), np.zeros_like(x0)
        _, g = value_and_grad(x)
        for i in range(n):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            r[i] = m[i] / (1 - b1**t) / (np.sqrt(v[i] / (1 - b2**t)) + eps)
            if mask is None:
                r[i] = r[i] + weight_decay * x[i]
        ratio = 1.0
        if mask is None:
            ratio = np.sqrt(sum(entry**2 for entry in x)) / np.sqrt(sum(entry**2 for entry in r))
        for i in range(n):
            x[i] = x[i] - learning_rate * ratio * r[i]
        xs.append(x)
    return xs
