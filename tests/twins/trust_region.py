"""A trust region (Nocedal & Wright, algorithm 4.1) with Steihaug's conjugate gradients (algorithm 7.2).

Three conventions of the library: a poor step shrinks the radius to a fraction of its own length, the first radius is
in units of the largest entry of the start, and differences below rounding give way to the mean slope. On convex and
nearly convex problems the random search for negative curvature changes no step, so it is left out.
"""

import math

import numpy as np


def steihaug(g, times, radius, *, forcing, max_iterations):
    """`(p, m(0) - m(p), on the boundary)`; `times(d)` is Hd."""
    p, r, d = 0 * g, g, -g
    size = math.sqrt(g @ g)
    tolerance = min(forcing, math.sqrt(size)) * size
    edge = False
    for _ in range(max_iterations):
        if math.sqrt(r @ r) <= tolerance:
            break
        hd = times(d)
        step = r @ r / (d @ hd) if d @ hd else math.inf
        if d @ hd <= 0 or math.sqrt((p + step * d) @ (p + step * d)) >= radius:
            b, a, c = p @ d, d @ d, p @ p - radius**2
            p, edge = p + (-b + math.sqrt(b**2 - a * c)) / a * d, True
            break
        p = p + step * d
        r, old = r + step * hd, r
        d = -r + (r @ r) / (old @ old) * d
    return p, -(g @ p) - p @ times(p) / 2, edge


def matrix(hvp, x):
    """The Hessian, column by column."""
    return np.stack([hvp(x, e) for e in np.eye(x.size)], 1)


def loop(value_and_grad, x0, steps, propose, *, radius, max_radius, accept, shrink, growth):
    """Algorithm 4.1; `propose(x, g, radius)` is `(p, promised, on the boundary, what the radius shrinks from)`."""
    xs = [x0]
    for _ in range(steps):
        x = xs[-1]
        f, g = value_and_grad(x)
        if not g.any():
            xs.append(x)
            continue
        p, promised, edge, reach = propose(x, g, radius)
        there, g_there = value_and_grad(x + p)
        gained, noise = f - there, 4 * 2.0**-52 * abs(f)
        if promised <= noise and abs(gained) <= noise:
            gained = -(g + g_there) @ p / 2
        if gained < promised / 4:
            radius = shrink * reach
        elif gained > 3 * promised / 4 and edge:
            radius = min(growth * radius, max_radius)
        xs.append(x + p if gained > accept * promised else x)
    return xs


def first(x0, radius, max_radius):
    """The first radius."""
    return min(radius * max(1, abs(x0).max()), max_radius)


def run(value_and_grad, x0, steps, *, hvp, radius, max_radius, check, max_search, forcing, max_iterations, **numbers):
    """`hvp(x, v)` is the Hessian at x times v."""

    def propose(x, g, radius):
        p, promised, edge = steihaug(g, lambda v: hvp(x, v), radius, forcing=forcing, max_iterations=max_iterations)
        return p, promised, edge, math.sqrt(p @ p)

    radius = first(x0, radius, max_radius)
    return loop(value_and_grad, x0, steps, propose, radius=radius, max_radius=max_radius, **numbers)
