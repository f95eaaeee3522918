"""Barzilai and Borwein's step sizes with the search that lets the value rise (Raydan 1997).

Where the curvature along a step is not positive the next one has a largest entry of `step_size`, as the first has.
"""

import numpy as np

from tests.twins.searches import backtracking


def run(value_and_grad, x0, steps, *, formula, memory, step_size, **search):
    """X <- x - s g."""
    value, g = value_and_grad(x0)
    xs, values, s = [x0], [value], step_size / np.abs(g).max()
    for t in range(steps):
        x = xs[-1]

        def phi(t, x=x, g=g):
            value, grad = value_and_grad(x - t * g)
            return value, -grad @ g, grad

        found = backtracking(phi, (max(values[-memory:]), -g @ g), first=s, **search)
        if found is None:
            raise RuntimeError("no step found: choose another problem")
        step, (value, _, grad) = found
        dx, dg = -step * g, grad - g
        xs.append(x + dx)
        values.append(value)
        short = formula == "short" or (formula == "alternate" and t % 2 == 1)
        g = grad
        s = (dx @ dg) / (dg @ dg) if short else (dx @ dx) / (dx @ dg)
        if dx @ dg <= 0:
            s = step_size / np.abs(g).max()
    return xs
