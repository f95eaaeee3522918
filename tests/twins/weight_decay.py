"""Adam with decoupled decay, algorithm 2 of Loshchilov & Hutter 2019 in green, and with an L2 penalty, in violet."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, weight_decay, decoupled, mask):
    """Entry by entry; a mask of matrices spares the one vector."""
    decay = weight_decay if mask is None else 0.0
    xs, m, v = [x0], np.zeros_like(x0), np.zeros_like(x0)
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            gradient = g[i] if decoupled else g[i] + decay * x[i]
            m[i] = b1 * m[i] + (1 - b1) * gradient
            v[i] = b2 * v[i] + (1 - b2) * gradient**2
            m_hat = m[i] / (1 - b1**t)
            v_hat = v[i] / (1 - b2**t)
            step = m_hat / (np.sqrt(v_hat) + eps) + (decay * x[i] if decoupled else 0.0)
            x[i] = x[i] - learning_rate * step
        xs.append(x)
    return xs
