"""AdamW, from algorithm 2 of Loshchilov & Hutter 2019, the decay multiplied by the rate as well."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, weight_decay, mask):
    """Entry by entry; the whole vector decays or, if the mask says so, none of it."""
    decay = weight_decay if mask is None or mask(x0) else 0.0
    xs, m, v = [x0], np.zeros_like(x0), np.zeros_like(x0)
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            m_hat = m[i] / (1 - b1**t)
            v_hat = v[i] / (1 - b2**t)
            x[i] = x[i] - learning_rate * (m_hat / (np.sqrt(v_hat) + eps) + decay * x[i])
        xs.append(x)
    return xs
