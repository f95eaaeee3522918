"""Newton's method with a modified Hessian (Nocedal & Wright 2006, section 3.4; Dauphin et al. 2014, section 5).

Conventions of the library: no entry of a step exceeds `max_step` times the largest entry of x (or 1), and where the
gradient is small beside a negative eigenvalue the step goes along its eigenvector.
"""

import numpy as np

from tests.twins.searches import strong_wolfe


def direction(g, hessian, scale, modification, damping):
    """`(d, d'Hd where negative curvature is followed)`."""
    n = len(g)
    values, vectors = np.linalg.eigh(hessian)
    if values[0] > 0:
        return -np.linalg.solve(hessian + damping * np.eye(n), g), 0.0
    if np.abs(g).max() <= -0.01 * values[0] * scale:
        v = vectors[:, 0]
        return (-scale if v @ g > 0 else scale) * v, scale**2 * values[0]
    if modification == "shift":
        modified = hessian - 2 * values[0] * np.eye(n)
    if modification == "absolute":
        modified = vectors @ np.diag(np.abs(values)) @ vectors.T
    return -np.linalg.solve(modified + damping * np.eye(n), g), 0.0


def run(value_and_grad, x0, steps, *, hvp, modification, damping, max_step, **search):
    """`hvp(x, v)` is the Hessian at x times v."""
    xs = [x0]
    for _ in range(steps):
        x = xs[-1]
        value, g = value_and_grad(x)
        hessian = np.stack([hvp(x, unit) for unit in np.eye(len(x))])
        scale = max(1.0, np.abs(x).max())
        d, bend = direction(g, hessian, scale, modification, damping)

        def phi(t, x=x, d=d):
            value, grad = value_and_grad(x + t * d)
            return value, grad @ d

        most = max_step * scale / np.abs(d).max() if d.any() else 1.0
        found = strong_wolfe(phi, (value, g @ d + bend / 2), max_step=most, **search)
        xs.append(x if found is None else x + found[0] * d)
    return xs
