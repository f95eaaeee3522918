"""Smooth problems in a box."""

from thalweg.registry.method import Linear, Method
from thalweg.solvers.descent.lbfgsb import LBFGSB

ROWS = (
    Method(
        name="lbfgsb",
        make=LBFGSB,
        family="descent",
        example=lambda problem: LBFGSB(),
        solves=("quadratic", "rosenbrock", "box-quadratic", "hs110"),
        # On the face of the minimum it is L-BFGS; the bound of conjugate gradients for the whole bowl, kappa = 100.
        claim=Linear(rate=((10 - 1) / (10 + 1)) ** 2, of="value", on="box-quadratic"),
        cost="1 gradient and value a trial step, 12 memory^2 n, a sort of n numbers",
        memory="(2 memory + 1) n",
        twin="tests.twins.lbfgsb",
        reference="Byrd, Lu, Nocedal & Zhu 1995, doi:10.1137/0916069; Morales & Nocedal 2011",
        year=1995,
    ),
)
