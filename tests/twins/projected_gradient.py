"""Spectral projected gradient (Birgin, Martinez & Raydan 2000, algorithm SPG2), with halving in place of interpolation.

Two conventions of the library: trial points are projected again, so that rounding leaves none outside, and near a
minimum, where differences of values are rounding, the search decides by the slope.
"""

import numpy as np

from tests.twins.searches import backtracking


def run(value_and_grad, x0, steps, *, prox, memory, step_size, min_step, max_step, **search):
    """`prox(x, s)` projects, whatever `s`; `search` holds the numbers of the search."""
    xs, values, s = [prox(x0, 1.0)], [], None
    for _ in range(steps):
        x = xs[-1]
        f, g = value_and_grad(x)
        values = values or [f]
        if s is None:
            s = step_size / np.abs(prox(x - g, 1.0) - x).max()
        s = min(max(s, min_step), max_step)
        d = prox(x - s * g, 1.0) - x

        def phi(t, x=x, d=d):
            there = prox(x + t * d, 1.0)
            value, grad = value_and_grad(there)
            return value, grad @ d, there, grad

        found = backtracking(phi, (max(values[-memory:]), g @ d), **search)
        if found is None:
            values, s = [], None
            xs.append(x)
            continue
        value, _, there, grad = found[1]
        dx, dg = there - x, grad - g
        s = (dx @ dx) / (dx @ dg) if dx @ dg > 0 else max_step
        values.append(value)
        xs.append(there)
    return xs
