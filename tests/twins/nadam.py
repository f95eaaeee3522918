"""NAdam, from algorithm 8 of Dozat's report with a constant mu."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps):
    """The products of the momenta multiplied out, as the report writes them."""
    xs, m, n, product = [x0], np.zeros_like(x0), np.zeros_like(x0), 1.0
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        product = product * b1
        for i in range(len(x)):
            g_hat = g[i] / (1 - product)
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            m_hat = m[i] / (1 - product * b1)
            n[i] = b2 * n[i] + (1 - b2) * g[i] ** 2
            n_hat = n[i] / (1 - b2**t)
            m_bar = (1 - b1) * g_hat + b1 * m_hat
            x[i] = x[i] - learning_rate * m_bar / (np.sqrt(n_hat) + eps)
        xs.append(x)
    return xs
