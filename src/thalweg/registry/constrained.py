"""Constrained: sets, bounds, equalities and inequalities."""

from thalweg.line_search.backtracking import Backtracking
from thalweg.registry.claims import LinearRate
from thalweg.registry.method import Checks, Method, Storage, Work
from thalweg.registry.space import LogUniform, WholeNumbers
from thalweg.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from thalweg.solvers.constrained.projected_gradient import ProjectedGradient
from thalweg.solvers.descent.lbfgs import LBFGS

CONSTRAINED_METHODS = (
    Method(
        name="projected-gradient",
        make=ProjectedGradient,
        label="Projected gradient",
        family="constrained",
        example=lambda problem: ProjectedGradient(),
        solves=("quadratic", "least-squares", "box-quadratic", "simplex-least-squares"),
        # Measured, 0.26; no useful bound is known for these steps. A fixed step keeps (1 - mu / L)^2 = 0.98.
        claim=LinearRate(rate=0.4, of="value", on="box-quadratic"),
        cost="1 gradient and value a trial step, 2 projections",
        memory="n",
        work=Work(flops=lambda n, m: 10 * n),
        storage=Storage(lambda n, m: n),
        reference="Birgin, Martínez & Raydan 2000, doi:10.1137/S1052623497330963",
        year=2000,
        space={"memory": WholeNumbers(1, 20)},
        rank=1,
        cases={
            "numbers": (
                "box-quadratic",
                lambda: ProjectedGradient(2, 0.3, max_step=3.0, search=Backtracking(0.3, 0.6)),
            ),
            "monotone": ("rosenbrock", lambda: ProjectedGradient(1)),
        },
    ),
    Method(
        name="augmented-lagrangian",
        make=AugmentedLagrangian,
        label="Augmented Lagrangian",
        family="constrained",
        example=lambda problem: AugmentedLagrangian(),
        solves=("quadratic", "equality-quadratic", "hs6", "hs7", "hs21", "hs28", "hs35", "hs48", "hs71"),
        # Measured, 0.88 in the mean over the subproblems: a step of L-BFGS, and now and then better multipliers.
        claim=LinearRate(rate=0.9, of="x", on="equality-quadratic"),
        cost="a step of the inner method, 1 pass of the constraints and back a trial step",
        memory="that of the inner method, 1 multiplier a constraint",
        work=Work(flops=lambda n, m: 80 * n),
        storage=Storage(lambda n, m: 21 * n),
        reference="Hestenes 1969, doi:10.1007/BF00927673; Conn, Gould & Toint 1991, doi:10.1137/0728030",
        year=1969,
        space={"penalty": LogUniform(2.0, 1e3), "growth": LogUniform(2.0, 100.0)},
        rank=3,
        cases={
            "numbers": ("hs35", lambda: AugmentedLagrangian(LBFGS(3), penalty=2.0, growth=4.0, inner_steps=2)),
            "bounds": ("box-quadratic", lambda: AugmentedLagrangian(penalty=1.5, inner_steps=3)),
        },
        checks=Checks(change=0.01, why="the search of its inner method accepts much, whatever its numbers"),
    ),
)
