"""L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995, with the projection of Morales & Nocedal 2011), its matrix written out.

The library's conventions: the first direction is a projected gradient step whose largest free entry would be 1, the
search is Strong-Wolfe up to the nearest bound along the ray, and points are clipped.
"""

import math

import numpy as np

from tests.twins.searches import strong_wolfe


def matrix(n, pairs):
    """The BFGS updates, one after the other, of `theta I`."""
    s, y = pairs[-1]
    B = (y @ y) / (s @ y) * np.eye(n)
    for s, y in pairs:
        B = B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(y, y) / (s @ y)
    return B


def cauchy(x, g, B, lower, upper):
    """Along the projected path from breakpoint to breakpoint; `z = x_cauchy - x`, and which entries are free."""
    n = len(x)
    times = np.array([math.inf if g[i] == 0 else (x[i] - (upper if g[i] < 0 else lower)[i]) / g[i] for i in range(n)])
    z, time = np.zeros(n), 0.0
    for end in [*sorted({t for t in times if 0 < t < math.inf}), math.inf]:
        d = np.where(times <= time, 0.0, -g)
        slope, bend = g @ d + d @ B @ z, d @ B @ d
        if slope >= 0:
            break
        if time - slope / bend < end:
            time -= slope / bend
            z = np.clip(z - slope / bend * d, lower - x, upper - x)
            break
        z = np.array([(upper if g[i] < 0 else lower)[i] - x[i] if times[i] <= end else -end * g[i] for i in range(n)])
        time = end
    return z, (times > time) & (lower < upper)


def face(x, g, B, z, free, lower, upper):
    """The minimizer over the free entries, projected; if that leads uphill, the step to it cut at the first bound."""
    v = np.zeros(len(x))
    v[free] = -np.linalg.solve(B[np.ix_(free, free)], (g + B @ z)[free])
    projected = np.clip(z + v, lower - x, upper - x)
    if g @ projected < 0:
        return projected
    share = 1.0
    for i in np.flatnonzero(v):
        share = min(share, ((upper if v[i] > 0 else lower)[i] - x[i] - z[i]) / v[i])
    return z + share * v


def first(x, g, lower, upper):
    """The projected gradient step before the first pair."""
    peak = max(abs(g[i]) for i in range(len(x)) if (x[i] < upper[i] if g[i] < 0 else lower[i] < x[i]))
    return np.clip(x - g / peak, lower, upper) - x


def run(value_and_grad, x0, steps, *, prox, memory, slope, curvature, max_trials):
    """X <- x + s d within the bounds; a failed search forgets the pairs and stays."""
    n = len(x0)
    lower, upper = prox(np.full(n, -np.inf), 1.0), prox(np.full(n, np.inf), 1.0)
    xs, pairs = [np.clip(x0, lower, upper)], []
    for _ in range(steps):
        x = xs[-1]
        value, g = value_and_grad(x)
        if pairs:
            B = matrix(n, pairs)
            d = face(x, g, B, *cauchy(x, g, B, lower, upper), lower, upper)
        else:
            d = first(x, g, lower, upper)
        ends = [((upper if d[i] > 0 else lower)[i] - x[i]) / d[i] for i in np.flatnonzero(d)]
        max_step = max(1.0, min(ends))

        def phi(t, x=x, d=d):
            there = np.clip(x + t * d, lower, upper)
            value, grad = value_and_grad(there)
            return value, grad @ d, grad, there

        numbers = {"slope": slope, "curvature": curvature, "max_trials": max_trials}
        found = strong_wolfe(phi, (value, g @ d), max_step=max_step, **numbers)
        if found is None:
            pairs = []
            xs.append(x)
            continue
        _, (_, _, grad, there) = found
        s, y = there - x, grad - g
        if s @ y > 2.0**-52 * np.abs(s).max() * np.abs(y).max():
            pairs = [*pairs, (s, y)][-memory:]
        xs.append(there)
    return xs
