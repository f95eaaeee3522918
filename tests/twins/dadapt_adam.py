"""Adam with D-Adaptation, Defazio & Mishchenko 2023, with the correction of the means in the rate."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, weight_decay, d0, mask):
    """Entry by entry."""
    xs, n, d, r, b = [x0], len(x0), d0, 0.0, np.sqrt(b2)
    m, v, s = np.zeros_like(x0), np.zeros_like(x0), np.zeros_like(x0)
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        eta = d * learning_rate * np.sqrt(1 - b2**t) / (1 - b1**t)
        r = b * r + (1 - b) * eta * sum(g[i] * s[i] / (np.sqrt(v[i]) + eps) for i in range(n))
        for i in range(n):
            m[i] = b1 * m[i] + (1 - b1) * eta * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            s[i] = b * s[i] + (1 - b) * eta * g[i]
        d = max(d, r / ((1 - b) * sum(abs(entry) for entry in s)))
        for i in range(n):
            decaying = x[i] if mask is None else 0.0
            x[i] = x[i] - m[i] / (np.sqrt(v[i]) + eps) - eta * weight_decay * decaying
        xs.append(x)
    return xs
