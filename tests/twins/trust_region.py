"""A trust region (Nocedal & Wright, algorithm 4.1) with Steihaug's conjugate gradients (algorithm 7.2).

Three conventions of the library: a poor step shrinks the radius to a fraction of its own length, the first radius is
in units of the largest entry of the start, and differences below rounding give way to the mean slope. On convex and
nearly convex problems the random search for negative curvature changes no step, so it is left out.
"""

import math


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
        step = r @ r / (d @ hd)
        if d @ hd <= 0 or math.sqrt((p + step * d) @ (p + step * d)) >= radius:
            b, a, c = p @ d, d @ d, p @ p - radius**2
            p, edge = p + (-b + math.sqrt(b**2 - a * c)) / a * d, True
            break
        p = p + step * d
        r, old = r + step * hd, r
        d = -r + (r @ r) / (old @ old) * d
    return p, -(g @ p) - p @ times(p) / 2, edge


def run(value_and_grad, x0, steps, *, hvp, radius, max_radius, accept, shrink, growth, check, max_search, **inner):
    """`hvp(x, v)` is the Hessian at x times v."""
    xs, radius = [x0], min(radius * max(1, abs(x0).max()), max_radius)
    for _ in range(steps):
        x = xs[-1]
        f, g = value_and_grad(x)
        if not g.any():
            xs.append(x)
            continue
        p, promised, edge = steihaug(g, lambda v, x=x: hvp(x, v), radius, **inner)
        there, g_there = value_and_grad(x + p)
        gained, noise = f - there, 4 * 2.0**-52 * abs(f)
        if promised <= noise and abs(gained) <= noise:
            gained = -(g + g_there) @ p / 2
        if gained < promised / 4:
            radius = shrink * math.sqrt(p @ p)
        elif gained > 3 * promised / 4 and edge:
            radius = min(growth * radius, max_radius)
        xs.append(x + p if gained > accept * promised else x)
    return xs
