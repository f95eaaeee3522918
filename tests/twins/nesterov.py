"""Nesterov's accelerated gradient with the gradient at the point ahead (Sutskever et al. 2013, equations 3 and 4)."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, beta, accumulate, nesterov):
    """V <- beta v - eta grad f(x + beta v), x <- x + v."""
    assert (accumulate, nesterov) == ("gradients", False)
    xs, v = [x0], np.zeros_like(x0)
    for _ in range(steps):
        x = xs[-1]
        _, g = value_and_grad(x + beta * v)
        v = beta * v - learning_rate * g
        xs.append(x + v)
    return xs
