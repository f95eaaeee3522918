"""Limited-memory BFGS (Nocedal & Wright 2006, algorithms 7.4 and 7.5)."""

import numpy as np

from tests.twins.searches import strong_wolfe


def direction(g, pairs):
    """The two loops; before the first pair the gradient with its largest entry scaled to 1."""
    if not pairs:
        return -g / np.abs(g).max()
    q, alphas = g.copy(), []
    for s, y in reversed(pairs):
        alpha = (s @ q) / (y @ s)
        q = q - alpha * y
        alphas.append(alpha)
    s, y = pairs[-1]
    r = (s @ y) / (y @ y) * q
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        beta = (y @ r) / (y @ s)
        r = r + s * (alpha - beta)
    return -r


def run(value_and_grad, x0, steps, *, memory, slope, curvature, max_trials):
    """X <- x + s d; a failed search forgets the pairs and stays."""
    xs, pairs = [x0], []
    for _ in range(steps):
        x = xs[-1]
        value, g = value_and_grad(x)
        d = direction(g, pairs)

        def phi(t, x=x, d=d):
            value, grad = value_and_grad(x + t * d)
            return value, grad @ d, grad

        found = strong_wolfe(phi, (value, g @ d), slope=slope, curvature=curvature, max_trials=max_trials)
        if found is None:
            pairs = []
            xs.append(x)
            continue
        step, (_, _, grad) = found
        s, y = step * d, grad - g
        if s @ y > 2.0**-52 * np.abs(s).max() * np.abs(y).max():
            pairs = [*pairs, (s, y)][-memory:]
        xs.append(x + s)
    return xs
