"""Adaptive sharpness-aware minimization with gradient descent inside (Kwon et al. 2021, algorithm 1)."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, rho, offset, norms):
    """Entry by entry, with T = diag(|x| + eta)."""
    xs = [x0]
    for _ in range(steps):
        x = xs[-1]
        _, g = value_and_grad(x)
        t = [abs(entry) + offset for entry in x]
        length = np.sqrt(sum((t[i] * g[i]) ** 2 for i in range(len(x))))
        _, worst = value_and_grad(np.asarray([x[i] + rho * t[i] ** 2 * g[i] / length for i in range(len(x))]))
        xs.append(x - learning_rate * worst)
    return xs
