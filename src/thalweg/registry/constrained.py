"""Constrained: sets, bounds, equalities and inequalities."""

from thalweg.registry.method import Linear, Method
from thalweg.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from thalweg.solvers.constrained.projected_gradient import ProjectedGradient

ROWS = (
    Method(
        name="projected-gradient",
        make=ProjectedGradient,
        family="constrained",
        example=lambda problem: ProjectedGradient(),
        solves=("quadratic", "least-squares", "box-quadratic", "simplex-least-squares"),
        # Measured, 0.26; no useful bound is known for these steps. A fixed step keeps (1 - mu / L)^2 = 0.98.
        claim=Linear(rate=0.4, of="value", on="box-quadratic"),
        cost="1 gradient, 1 value and 1 projection a trial step, 2 projections",
        memory="2n",
        twin="tests.twins.projected_gradient",
        reference="Birgin, Martínez & Raydan 2000, doi:10.1137/S1052623497330963",
        year=2000,
    ),
    Method(
        name="augmented-lagrangian",
        make=AugmentedLagrangian,
        family="constrained",
        example=lambda problem: AugmentedLagrangian(),
        solves=("quadratic", "equality-quadratic", "hs6", "hs7", "hs21", "hs28", "hs35", "hs48", "hs71"),
        # Measured, 0.88 in the mean over the subproblems: a step of L-BFGS, and now and then better multipliers.
        claim=Linear(rate=0.9, of="x", on="equality-quadratic"),
        cost="a step of the inner method, 1 pass of the constraints and back a trial step",
        memory="2n beside the inner method, 1 multiplier a constraint",
        twin="tests.twins.augmented_lagrangian",
        reference="Hestenes 1969, doi:10.1007/BF00927673; Conn, Gould & Toint 1991, doi:10.1137/0728030",
        year=1969,
    ),
)
