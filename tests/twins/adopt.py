"""ADOPT, from algorithm 2 of Taniguchi et al. 2024 (algorithm 1 without clipping)."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, clip, weight_decay, mask):
    """The paper's step t takes the gradient g_t at the point before; g_0 belongs to the start."""
    decay = 0.0 if mask else weight_decay
    m, v = np.zeros_like(x0), value_and_grad(x0)[1] ** 2
    xs = [x0, x0.copy()]
    for t in range(1, steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            unit = g[i] / max(np.sqrt(v[i]), eps)
            if clip:
                unit = min(max(unit, -(t**0.25)), t**0.25)
            m[i] = b1 * m[i] + (1 - b1) * unit
            x[i] = x[i] - learning_rate * (m[i] + decay * x[i])
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
        xs.append(x)
    return xs
