"""Descent: a direction and a line search."""

from thalweg.registry.method import Linear, Method
from thalweg.solvers.descent.lbfgs import LBFGS
from thalweg.solvers.descent.steepest import SteepestDescent

ROWS = (
    Method(
        name="steepest-descent",
        make=SteepestDescent,
        family="descent",
        example=lambda problem: SteepestDescent(),
        solves=("quadratic", "least-squares"),
        claim=Linear(rate=1 - 2 * 1e-4 / 100, of="value", on="quadratic"),
        cost="1 gradient and value a trial step",
        memory="n",
        twin="tests.twins.steepest_descent",
        reference="Cauchy 1847; Armijo 1966, doi:10.2140/pjm.1966.16.1",
        year=1847,
    ),
    Method(
        name="lbfgs",
        make=LBFGS,
        family="descent",
        example=lambda problem: LBFGS(),
        solves=("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares"),
        claim=Linear(rate=0.8, of="value", on="quadratic"),
        cost="1 gradient and value a trial step, 4 memory n",
        memory="(2 memory + 1) n",
        twin="tests.twins.lbfgs",
        reference="Liu & Nocedal 1989, doi:10.1007/BF01589116",
        year=1989,
    ),
)
