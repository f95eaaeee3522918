"""Adam, from algorithm 1 of Kingma & Ba 2015."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps):
    """Entry by entry, as the paper writes it."""
    xs, m, v = [x0], np.zeros_like(x0), np.zeros_like(x0)
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            m_hat = m[i] / (1 - b1**t)
            v_hat = v[i] / (1 - b2**t)
            x[i] = x[i] - learning_rate * m_hat / (np.sqrt(v_hat) + eps)
        xs.append(x)
    return xs
