"""Schedule-Free AdamW (Defazio et al. 2024, algorithm 1 with the weights of its section 4.4)."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps, weight_decay, mask, beta, power):
    """Three sequences; equal weights because the rate is constant."""
    assert b1 == 0
    xs, n, z, v, total = [x0], len(x0), x0.copy(), np.zeros_like(x0), 0.0
    for t in range(1, steps + 1):
        x, y = xs[-1].copy(), (1 - beta) * z + beta * xs[-1]
        _, g = value_and_grad(y)
        weight = learning_rate**power
        total += weight
        c = weight / total
        for i in range(n):
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            decaying = y[i] if mask is None else 0.0
            z[i] = z[i] - learning_rate * (g[i] / (np.sqrt(v[i] / (1 - b2**t)) + eps) + weight_decay * decaying)
            x[i] = (1 - c) * x[i] + c * z[i]
        xs.append(x)
    return xs
