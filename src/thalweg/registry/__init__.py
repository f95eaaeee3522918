"""One row a method. The tests, the docs tables, the command line and the suggestions are driven by these rows."""

from thalweg.core.oracle import PARTS, Oracle
from thalweg.core.solver import Solver
from thalweg.registry import (
    adaptive,
    blackbox,
    bounded,
    composite,
    constrained,
    descent,
    finite_sum,
    first_order,
    latent,
    layerwise,
    least_squares,
    matrix,
    newton,
    rules,
    trust_region,
    wrappers,
)
from thalweg.registry.method import Finite, Linear, Method, Neighbourhood, Quadratic, Reaches, Sublinear, Superlinear

RULES = (rules, adaptive, layerwise, matrix, wrappers)
FAMILIES = (
    *RULES,
    first_order,
    descent,
    bounded,
    newton,
    trust_region,
    least_squares,
    finite_sum,
    composite,
    constrained,
    latent,
    blackbox,
)

METHODS: dict[str, Method] = {row.name: row for family in FAMILIES for row in family.ROWS}
"""Name -> row."""


def fits(solver: Solver, offers: frozenset[Oracle]) -> bool:
    """Whether a problem with these `offers` has what the solver needs, and no part that it would ignore."""
    return solver.needs <= offers and offers & PARTS <= (solver.takes | solver.needs)


def fitting(offers: frozenset[Oracle]) -> list[str]:
    """The names of the methods that solve a problem with these `offers`."""
    return [row.make.__name__ for row in METHODS.values() if fits(row.solver(), offers)]


__all__ = [
    "METHODS",
    "Finite",
    "Linear",
    "Method",
    "Neighbourhood",
    "Quadratic",
    "Reaches",
    "Sublinear",
    "Superlinear",
    "fits",
    "fitting",
]
