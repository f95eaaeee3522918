"""The symmetric rank-one method in a trust region (Nocedal & Wright, algorithm 6.2)."""

import math

import numpy as np

from tests.twins.trust_region import first, loop, steihaug


def run(value_and_grad, x0, steps, *, radius, max_radius, check, max_search, forcing, max_iterations, skip, **numbers):
    """The matrix learns from every trial point: the one before, and where the loop went from it, tell which."""
    known = {"b": None, "last": None}

    def learn():
        x, p, g = known["last"]
        y = value_and_grad(x + p)[1] - g
        if known["b"] is None:
            known["b"] = math.sqrt(y @ y) / math.sqrt(p @ p) * np.eye(x.size)
        miss = y - known["b"] @ p
        if abs(p @ miss) >= skip * math.sqrt(p @ p) * math.sqrt(miss @ miss) and p @ miss != 0:
            known["b"] = known["b"] + np.outer(miss, miss) / (p @ miss)

    def propose(x, g, radius):
        if known["last"] is not None:
            learn()
        b = np.zeros((x.size, x.size)) if known["b"] is None else known["b"]
        p, promised, edge = steihaug(g, lambda v: b @ v, radius, forcing=forcing, max_iterations=max_iterations)
        known["last"] = x, p, g
        return p, promised, edge, math.sqrt(p @ p)

    radius = first(x0, radius, max_radius)
    return loop(value_and_grad, x0, steps, propose, radius=radius, max_radius=max_radius, **numbers)
