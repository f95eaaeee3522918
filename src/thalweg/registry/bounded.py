"""Smooth problems in a box."""

from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.registry.claims import LinearRate
from thalweg.registry.method import Checks, Method, Storage, Work
from thalweg.registry.space import PAIRS
from thalweg.solvers.descent.lbfgsb import LBFGSB

BOUNDED_METHODS = (
    Method(
        name="lbfgsb",
        make=LBFGSB,
        label="L-BFGS-B",
        family="descent",
        example=lambda problem: LBFGSB(),
        solves=("quadratic", "rosenbrock", "box-quadratic", "hs110"),
        # On the face of the minimum it is L-BFGS; the bound of conjugate gradients for the whole bowl, kappa = 100.
        claim=LinearRate(rate=((10 - 1) / (10 + 1)) ** 2, of="value", on="box-quadratic"),
        cost="1 gradient and value a trial step, 12 memory^2 n operations, a sort of n numbers",
        memory="(3 memory + 1) n",
        work=Work(flops=lambda n, m: 1200 * n),
        storage=Storage(lambda n, m: 31 * n),
        reference="Byrd, Lu, Nocedal & Zhu 1995, doi:10.1137/0916069; Morales & Nocedal 2011",
        year=1995,
        known_by=("direction",),
        space={"memory": PAIRS},
        rank=1,
        namesake="scipy.optimize.minimize(method='L-BFGS-B')",
        cases={
            "full-ring": ("box-quadratic", lambda: LBFGSB(3)),
            "numbers": ("hs38", lambda: LBFGSB(2, StrongWolfe(slope=1e-2, curvature=0.05))),
            "no-bounds": ("rosenbrock", lambda: LBFGSB()),
        },
        checks=Checks(
            change=0.01, points=5, why="few variables are free in the box; a search accepts much, whatever its numbers"
        ),
    ),
)
