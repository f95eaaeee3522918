"""AdaDelta, from algorithm 1 of Zeiler 2012."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, beta, eps, eps_place):
    """Entry by entry."""
    xs, of_g, of_x = [x0], np.zeros_like(x0), np.zeros_like(x0)

    def rms(mean_square):
        return np.sqrt(mean_square + eps) if eps_place == "inside" else np.sqrt(mean_square) + eps

    for _ in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            of_g[i] = beta * of_g[i] + (1 - beta) * g[i] ** 2
            change = -rms(of_x[i]) / rms(of_g[i]) * g[i]
            of_x[i] = beta * of_x[i] + (1 - beta) * change**2
            x[i] = x[i] + learning_rate * change
        xs.append(x)
    return xs
