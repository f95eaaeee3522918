"""AdaGrad, from figure 1 of Duchi, Hazan & Singer 2011 with diagonal matrices."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, eps, eps_place, initial_accumulator):
    """The sum of all squares anew at every step."""
    xs, seen = [x0], []
    for _ in range(steps):
        x = xs[-1].copy()
        seen.append(value_and_grad(x)[1])
        for i in range(len(x)):
            total = initial_accumulator + sum(g[i] ** 2 for g in seen)
            divisor = np.sqrt(total + eps) if eps_place == "inside" else np.sqrt(total) + eps
            x[i] = x[i] - learning_rate * seen[-1][i] / divisor
        xs.append(x)
    return xs
