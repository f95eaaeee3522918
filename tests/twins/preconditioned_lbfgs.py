"""L-BFGS on the Hessian of some of the examples (Byrd, Chin, Neveitt & Nocedal 2011, section 4)."""

import numpy as np

from tests.twins.searches import strong_wolfe


def matrix(hessian, floor):
    """Scaled to a diagonal of 1, then with the absolute values of its eigenvalues, none smaller than `floor`."""
    d = np.diag(np.sqrt(np.maximum(np.abs(np.diag(hessian)), floor * np.abs(hessian).max())))
    values, vectors = np.linalg.eigh(np.linalg.inv(d) @ hessian @ np.linalg.inv(d))
    return d @ vectors @ np.diag(np.maximum(np.abs(values), floor)) @ vectors.T @ d


def direction(g, pairs, p):
    """The BFGS matrix itself, pair after pair, on the preconditioner."""
    n, h = len(g), np.linalg.inv(p)
    if pairs:
        s, y = pairs[-1]
        h = (s @ y) / (y @ h @ y) * h
    for s, y in pairs:
        left = np.eye(n) - np.outer(s, y) / (s @ y)
        h = left @ h @ left.T + np.outer(s, s) / (s @ y)
    return -h @ g


def run(value_and_grad, x0, steps, *, curved, draws, examples, memory, floor, slope, curvature, max_trials):
    """X <- x + s d; a failed search forgets everything and stays.

    `curved(i, x)` is the Hessian of the i-th of n terms; `draws(t)` the terms that step t would take.
    """
    xs, pairs, p = [x0], [], None
    for t in range(steps):
        x = xs[-1]
        value, g = value_and_grad(x)
        if not pairs:
            rows = range(curved.n) if examples >= curved.n else draws(t)
            p = matrix(sum(curved(i, x) for i in rows) / len(rows), floor)
        d = direction(g, pairs, p)

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
