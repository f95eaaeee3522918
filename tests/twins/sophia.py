"""Sophia, algorithm 3 of Liu et al. 2024, with the diagonal of the Hessian given at every k-th step."""

import numpy as np


def run(value_and_grad, x0, steps, *, diagonal, every, learning_rate, b1, b2, gamma, eps, weight_decay):
    """Entry by entry."""
    xs, n, m, h = [x0], len(x0), np.zeros_like(x0), np.zeros_like(x0)
    for t in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        estimate = diagonal(x)
        for i in range(n):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            if t % every == 0:
                h[i] = b2 * h[i] + (1 - b2) * estimate[i]
            x[i] = x[i] - learning_rate * weight_decay * x[i]
            x[i] = x[i] - learning_rate * min(max(m[i] / max(gamma * h[i], eps), -1.0), 1.0)
        xs.append(x)
    return xs
