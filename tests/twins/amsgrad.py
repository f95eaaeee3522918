"""AMSGrad, from algorithm 2 of Reddi, Kale & Kumar 2018, with the bias corrections of Adam before the maximum."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, b1, b2, eps):
    """The maximum anew over all steps."""
    xs, m, v, corrected = [x0], np.zeros_like(x0), np.zeros_like(x0), []
    for t in range(1, steps + 1):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
        corrected.append(v / (1 - b2**t))
        for i in range(len(x)):
            largest = max(entry[i] for entry in corrected)
            x[i] = x[i] - learning_rate * m[i] / (1 - b1**t) / (np.sqrt(largest) + eps)
        xs.append(x)
    return xs
