"""Powell's dogleg (Nocedal & Wright, section 4.1).

Where H is not positive definite the step goes along its lowest eigenvector or to Cauchy's point.
"""

import math

import numpy as np

from tests.twins.trust_region import first, loop, matrix


def dogleg(g, h, radius):
    """The point of the path on the boundary, or the Newton point."""
    newton, unconstrained = -np.linalg.solve(h, g), -(g @ g) / (g @ h @ g) * g
    if math.sqrt(newton @ newton) <= radius:
        return newton
    if math.sqrt(unconstrained @ unconstrained) >= radius:
        return -radius / math.sqrt(g @ g) * g
    d = newton - unconstrained
    a, b, c = d @ d, unconstrained @ d, unconstrained @ unconstrained - radius**2
    return unconstrained + (-b + math.sqrt(b * b - a * c)) / a * d


def run(value_and_grad, x0, steps, *, hvp, radius, max_radius, check, max_search, **numbers):
    """`hvp(x, v)` is the Hessian at x times v."""

    def propose(x, g, radius):
        h = matrix(hvp, x)
        values, vectors = np.linalg.eigh(h)

        def fall(p):
            return -(g @ p) - p @ h @ p / 2

        if values[0] > 0:
            p = dogleg(g, h, radius)
        else:
            size, bend = math.sqrt(g @ g), g @ h @ g
            cauchy = -(min(size**3 / (radius * bend), 1) if bend > 0 else 1) * radius / size * g
            lowest = -math.copysign(radius, vectors[:, 0] @ g) * vectors[:, 0]
            p = max(cauchy, lowest, key=fall)
        length = math.sqrt(p @ p)
        return p, fall(p), length > radius * (1 - 1e-10), length

    radius = first(x0, radius, max_radius)
    return loop(value_and_grad, x0, steps, propose, radius=radius, max_radius=max_radius, **numbers)
