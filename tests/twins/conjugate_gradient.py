"""Nonlinear conjugate gradients: Hager & Zhang 2005 with the truncation of 2013, and Polak & Ribiere's with restarts.

The first trial of the first search is a step whose largest entry is 1; every later first trial promises the fall that
the last step promised.
"""

import numpy as np

from tests.twins.searches import hager_zhang


def run(value_and_grad, x0, steps, *, formula, truncation, **search):
    """X <- x + s d, d <- -g + beta d."""
    value, g = value_and_grad(x0)
    xs, d, first = [x0], -g, 1 / np.abs(g).max()
    for _ in range(steps):
        x = xs[-1]

        def phi(t, x=x, d=d):
            value, grad = value_and_grad(x + t * d)
            return value, grad @ d, grad

        found = hager_zhang(phi, (value, g @ d), first=first, **search)
        if found is None:
            break  # at the minimum
        step, (value, _, g_next) = found
        xs.append(x + step * d)
        y = g_next - g
        if formula == "polak-ribiere":
            beta = max(g_next @ y / (g @ g), 0.0)
        else:
            beta = (y - 2 * d * (y @ y) / (d @ y)) @ g_next / (d @ y)
            beta = max(beta, truncation * (d @ g) / (d @ d))
        d_next = -g_next + beta * d
        if g_next @ d_next >= 0:
            d_next = -g_next
        first, g, d = step * (g @ d) / (g_next @ d_next), g_next, d_next
    return xs
