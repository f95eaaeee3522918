"""Truncated Newton (Nocedal & Wright 2006, algorithm 7.1), at negative curvature as in algorithm 7.2.

The random search for negative curvature is left out: it changes no step on the problems of the zoo.
"""

import numpy as np

from tests.twins.searches import strong_wolfe
from tests.twins.trust_region import steihaug


def run(value_and_grad, x0, steps, *, hvp, forcing, max_iterations, max_step, check, max_search, **search):
    """`hvp(x, v)` is the Hessian at x times v."""
    xs = [x0]
    for _ in range(steps):
        x = xs[-1]
        value, g = value_and_grad(x)
        if not g.any():
            xs.append(x)
            continue
        radius = max_step * max(1.0, np.abs(x).max())
        d, _, _ = steihaug(g, lambda v, x=x: hvp(x, v), radius, forcing=forcing, max_iterations=max_iterations)

        def phi(t, x=x, d=d):
            value, grad = value_and_grad(x + t * d)
            return value, grad @ d

        found = strong_wolfe(phi, (value, g @ d), **search)
        xs.append(x if found is None else x + found[0] * d)
    return xs
