"""Adafactor for a vector, algorithm 5 of Shazeer & Stern 2018: no factors."""

import numpy as np


def run(
    value_and_grad, x0, steps, *, learning_rate, eps, min_scale, clip, decay, weight_decay, min_size, relative, mask
):
    """Entry by entry; a vector is neither factored nor, if only matrices decay, decays."""
    xs, n, v = [x0], len(x0), np.zeros_like(x0)
    for t in range(1, steps + 1):
        x, u = xs[-1].copy(), np.zeros_like(x0)
        _, g = value_and_grad(x)
        beta = 1 - t ** (-decay)
        for i in range(n):
            v[i] = beta * v[i] + (1 - beta) * (g[i] ** 2 + eps)
            u[i] = g[i] / np.sqrt(v[i])
        rms_u = np.sqrt(sum(entry**2 for entry in u) / n)
        rms_x = np.sqrt(sum(entry**2 for entry in x) / n)
        size = max(min_scale, rms_x) if relative else 1.0
        for i in range(n):
            decaying = x[i] if mask is None else 0.0
            x[i] = x[i] - learning_rate * (size * u[i] / max(1.0, rms_u / clip) + weight_decay * decaying)
        xs.append(x)
    return xs
