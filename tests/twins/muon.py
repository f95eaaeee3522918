"""Muon, from Jordan et al. 2024 and Liu et al. 2025; Newton and Schulz as what they do to each singular value."""

import numpy as np

from tests.twins import sgd


def run(value_and_grad, x0, steps, *, learning_rate, **of_matrices):
    """A vector is no matrix: it goes the way of `others`, in the example gradient descent."""
    return sgd.run(value_and_grad, x0, steps, learning_rate=learning_rate)


def matrix(gradient, w, steps, *, learning_rate, beta, weight_decay=0.0, scale="original", nesterov=True, iterations=5):
    """The path of one matrix of outputs by inputs."""
    path, buffer = [w], np.zeros_like(w)
    rows, columns = w.shape
    factor = {"original": np.sqrt(max(1, rows / columns)), "rms": 0.2 * np.sqrt(max(rows, columns))}[scale]
    for _ in range(steps):
        w = path[-1]
        g = gradient(w)
        buffer = beta * buffer + (1 - beta) * g
        update = (1 - beta) * g + beta * buffer if nesterov else buffer
        w = w - learning_rate * weight_decay * w
        path.append(w - learning_rate * factor * orthogonalized(update, iterations))
    return path


def orthogonalized(m, iterations):
    """Every singular value divided by the norm and sent through the quintic again and again."""
    u, values, v = np.linalg.svd(m, full_matrices=False)
    values = values / np.sqrt(np.sum(values**2))
    for _ in range(iterations):
        values = [3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5 for s in values]
    return u @ np.diag(values) @ v
