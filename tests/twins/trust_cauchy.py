"""A trust region that goes to the Cauchy point (Nocedal & Wright, equations 4.11 and 4.12)."""

import math

from tests.twins.trust_region import first, loop


def run(value_and_grad, x0, steps, *, hvp, radius, max_radius, check, max_search, **numbers):
    """`hvp(x, v)` is the Hessian at x times v."""

    def propose(x, g, radius):
        size, bend = math.sqrt(g @ g), g @ hvp(x, g)
        tau = min(size**3 / (radius * bend), 1) if bend > 0 else 1
        p = -tau * radius / size * g
        return p, -(g @ p) - p @ hvp(x, p) / 2, tau == 1, math.sqrt(p @ p)

    radius = first(x0, radius, max_radius)
    return loop(value_and_grad, x0, steps, propose, radius=radius, max_radius=max_radius, **numbers)
