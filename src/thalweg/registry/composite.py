"""Composite: smooth plus nonsmooth."""

from thalweg.registry.method import Method, Sublinear
from thalweg.solvers.composite.fista import FISTA

ROWS = (
    Method(
        name="fista",
        make=FISTA,
        family="composite",
        example=lambda problem: FISTA(),
        solves=("quadratic", "least-squares", "lasso"),
        # With the constant 2 max(L / decrease, 1 / step_size) |x0 - x*|^2 and (t + 1)^2.
        claim=Sublinear(order=2, of="value", on="lasso"),
        cost="1 gradient, 1 value and 1 prox a trial step",
        memory="2n",
        twin="tests.twins.fista",
        reference="Beck & Teboulle 2009, doi:10.1137/080716542",
        year=2009,
    ),
)
