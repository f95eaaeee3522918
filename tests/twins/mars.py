"""MARS around Adam, Yuan et al. 2024, with the gradient of the last batch."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, gamma, beta, limit, by):
    """One vector: by "leaf" and by "norm" are the same."""
    xs, n, m, v, last = [x0], len(x0), np.zeros_like(x0), np.zeros_like(x0), None
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        last = g if last is None else last
        c = np.array([g[i] + gamma * beta / (1 - beta) * (g[i] - last[i]) for i in range(n)])
        length = np.sqrt(sum(entry**2 for entry in c))
        for i in range(n):
            shortened = c[i] * limit / length if length > limit else c[i]
            cut = min(max(c[i], -limit), limit) if by == "value" else shortened
            m[i] = b1 * m[i] + (1 - b1) * cut
            v[i] = b2 * v[i] + (1 - b2) * cut**2
            x[i] = x[i] - learning_rate * m[i] / (1 - b1**t) / (np.sqrt(v[i] / (1 - b2**t)) + eps)
        xs.append(x)
        last = g
    return xs
