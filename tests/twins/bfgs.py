"""BFGS (Nocedal & Wright 2006, algorithm 6.1)."""

import numpy as np

from tests.twins.searches import strong_wolfe


def run(value_and_grad, x0, steps, *, slope, curvature, max_trials):
    """The first direction is the gradient with its largest entry scaled to 1; a failed search forgets the matrix."""
    xs, h, eye = [x0], None, np.eye(len(x0))
    for _ in range(steps):
        x = xs[-1]
        value, g = value_and_grad(x)
        d = -g / np.abs(g).max() if h is None else -h @ g

        def phi(t, x=x, d=d):
            value, grad = value_and_grad(x + t * d)
            return value, grad @ d, grad

        found = strong_wolfe(phi, (value, g @ d), slope=slope, curvature=curvature, max_trials=max_trials)
        if found is None:
            h = None
            xs.append(x)
            continue
        step, (_, _, grad) = found
        s, y = step * d, grad - g
        if s @ y > 2.0**-52 * np.abs(s).max() * np.abs(y).max():
            rho = 1 / (y @ s)
            h = (s @ y) / (y @ y) * eye if h is None else h
            h = (eye - rho * np.outer(s, y)) @ h @ (eye - rho * np.outer(y, s)) + rho * np.outer(s, s)
        xs.append(x + s)
    return xs
