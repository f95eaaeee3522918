"""RMSProp, from slide 29 of Hinton's lecture; centered and with momentum from Graves 2013, equations 38 to 41."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, beta, eps, eps_place, centered, momentum):
    """Entry by entry."""
    xs, n, mean, delta = [x0], np.zeros_like(x0), np.zeros_like(x0), np.zeros_like(x0)
    for _ in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            n[i] = beta * n[i] + (1 - beta) * g[i] ** 2
            mean[i] = beta * mean[i] + (1 - beta) * g[i]
            spread = n[i] - mean[i] ** 2 if centered else n[i]
            divisor = np.sqrt(spread + eps) if eps_place == "inside" else np.sqrt(spread) + eps
            delta[i] = (momentum or 0) * delta[i] - learning_rate * g[i] / divisor
            x[i] = x[i] + delta[i]
        xs.append(x)
    return xs
