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
        # There L = 1, so the first trial s = 1 lowers the value by (1 - s L / 2) |g|^2 at least and always passes:
        # every step contracts the error by max |1 - s a_i| = 1 - mu / L, the value by its square.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
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
        # The bound of conjugate gradients, ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2 with kappa = 100: with an exact
        # search the two methods are one on a quadratic of at most `memory` variables.
        claim=Linear(rate=((10 - 1) / (10 + 1)) ** 2, of="value", on="quadratic"),
        cost="1 gradient and value a trial step, 4 memory n",
        memory="(2 memory + 1) n",
        twin="tests.twins.lbfgs",
        reference="Liu & Nocedal 1989, doi:10.1007/BF01589116",
        year=1989,
    ),
)
