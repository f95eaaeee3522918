"""Finite sum: means over data examples, of which a step reads a few."""

from thalweg.registry.method import Linear, Method
from thalweg.solvers.finite_sum.svrg import SVRG

STEP_SIZES = {"least-squares": 0.02, "lasso": 0.01, "logistic": 0.05}

ROWS = (
    Method(
        name="svrg",
        make=SVRG,
        family="finite_sum",
        example=lambda problem: SVRG(STEP_SIZES.get(problem, 0.02)),
        solves=("least-squares", "lasso", "logistic"),
        # What m = 100 exact gradient steps of size s = 0.05 promise for mu = 0.1. The theorem of Johnson & Zhang says
        # nothing here: its factor is below 1 only for thousands of inner steps.
        claim=Linear(rate=(1 - 0.05 * 0.1) ** (2 * 100), of="value", on="logistic"),
        cost="1 gradient of the mean, 2 m batch gradients",
        memory="3n",
        twin="tests.twins.svrg",
        reference="Johnson & Zhang 2013, NeurIPS 26; Xiao & Zhang 2014, doi:10.1137/140961791",
        year=2013,
    ),
)
