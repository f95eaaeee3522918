"""RAdam, from algorithm 2 of Liu et al. 2020."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, threshold):
    """Entry by entry, as the paper writes it."""
    xs, m, v, longest = [x0], np.zeros_like(x0), np.zeros_like(x0), 2 / (1 - b2) - 1
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        length = longest - 2 * t * b2**t / (1 - b2**t)
        for i in range(len(x)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            m_hat = m[i] / (1 - b1**t)
            if length >= threshold:
                above = (length - 4) * (length - 2) * longest
                below = (longest - 4) * (longest - 2) * length
                x[i] = x[i] - learning_rate * np.sqrt(above / below) * m_hat / (np.sqrt(v[i] / (1 - b2**t)) + eps)
            else:
                x[i] = x[i] - learning_rate * m_hat
        xs.append(x)
    return xs
