"""One row a method. The tests, the docs tables, the command line and the suggestions are driven by these rows."""

from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.types import Params
from thalweg.registry import composite, descent, first_order
from thalweg.registry.method import Linear, Method, Neighbourhood, Sublinear, Superlinear

METHODS: dict[str, Method] = {row.name: row for row in (*first_order.ROWS, *descent.ROWS, *composite.ROWS)}
"""Name -> row."""


def fits(solver: Solver, problem: Problem, x: Params) -> bool:
    """Whether `problem` offers what the solver needs, and the solver ignores none of its parts."""
    return solver.needs <= problem.offers(x) and problem.parts(x) <= (solver.takes | solver.needs)


def fitting(problem: Problem, x: Params) -> list[str]:
    """The names of the methods that solve this problem."""
    return [row.make.__name__ for row in METHODS.values() if fits(row.solver(), problem, x)]


__all__ = ["METHODS", "Linear", "Method", "Neighbourhood", "Sublinear", "Superlinear", "fits", "fitting"]
