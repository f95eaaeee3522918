"""Gauss-Newton with Armijo's rule (Nocedal & Wright, section 10.3)."""

import numpy as np

from tests.twins.searches import backtracking


def run(value_and_grad, x0, steps, *, residuals, slope, decrease, max_trials, interpolate):
    """`residuals(x)` is `(r, J)`."""
    xs = [x0]
    for _ in range(steps):
        x = xs[-1]
        value, g = value_and_grad(x)
        r, j = residuals(x)
        d = -np.linalg.lstsq(j, r, rcond=None)[0]

        def phi(t, x=x, d=d):
            value, grad = value_and_grad(x + t * d)
            return value, grad @ d

        found = backtracking(
            phi, (value, g @ d), slope=slope, decrease=decrease, max_trials=max_trials, interpolate=interpolate
        )
        xs.append(x if found is None else x + found[0] * d)
    return xs
