"""Which method for which problem, from its structure and size, with the reason."""

from typing import NamedTuple

import jax

from thalweg.core.first_order import FirstOrder
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.types import Params
from thalweg.registry import fitting
from thalweg.rules.adam import Adam
from thalweg.solvers.composite.fista import FISTA
from thalweg.solvers.descent.lbfgs import LBFGS

LARGE = 10_000_000
"""Beyond this many variables the pairs of L-BFGS are shortened."""


class Suggestion(NamedTuple):
    """A method and the reason for it."""

    method: Solver
    reason: str


def suggest(problem: Problem, x: Params) -> Suggestion:
    """The method that `minimize` uses when none is given.

    Raises a `ValueError` that names the part that no method takes, where there is one.
    """
    parts = problem.parts(x)
    if not fitting(problem, x):
        names = ", ".join(sorted(part.value for part in parts))
        raise ValueError(f"No method here solves a problem with {names}; see tw.methods() for what each one takes.")
    if parts & {Oracle.NONSMOOTH, Oracle.BOUNDS}:
        return Suggestion(FISTA(), "FISTA: the nonsmooth part or the bounds have a prox, which it takes")
    n = sum(leaf.size for leaf in jax.tree.leaves(x))
    if Oracle.WHOLE in problem.offers(x):
        memory = 10 if n <= LARGE else 5
        return Suggestion(LBFGS(memory), f"L-BFGS: smooth, the same function at every step, {n} variables")
    return Suggestion(FirstOrder(Adam()), "Adam: the loss changes from step to step, and its scale is not known")
