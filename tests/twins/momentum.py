"""The heavy ball in three scalings (Polyak 1964), and the step that looks ahead (Bengio et al. 2012, section 3.5)."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, beta, accumulate, nesterov):
    """Each scaling as its own formula."""
    xs, m = [x0], np.zeros_like(x0)
    for _ in range(steps):
        x = xs[-1]
        _, g = value_and_grad(x)
        if accumulate == "gradients":
            m = beta * m + g
            x = x - learning_rate * (g + beta * m) if nesterov else x - learning_rate * m
        elif accumulate == "steps":
            m = beta * m + learning_rate * g
            x = x - (learning_rate * g + beta * m) if nesterov else x - m
        else:
            m = beta * m + (1 - beta) * g
            x = x - learning_rate * ((1 - beta) * g + beta * m) if nesterov else x - learning_rate * m
        xs.append(x)
    return xs
