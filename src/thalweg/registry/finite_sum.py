"""Finite sum: means over data examples, of which a step reads a few."""

from thalweg.registry.claims import LinearRate
from thalweg.registry.method import Method, Storage, Work
from thalweg.registry.space import GRADIENT_RATE
from thalweg.solvers.finite_sum.svrg import SVRG

_STEP_SIZES = {"least-squares": 0.02, "lasso": 0.01, "logistic": 0.05}

FINITE_SUM_METHODS = (
    Method(
        name="svrg",
        make=SVRG,
        label="SVRG",
        family="finite_sum",
        example=lambda problem: SVRG(_STEP_SIZES.get(problem, 0.02)),
        solves=("least-squares", "lasso", "logistic"),
        # What m = 100 exact gradient steps of size s = 0.05 promise for mu = 0.1. The theorem of Johnson & Zhang says
        # nothing here: its factor is below 1 only for thousands of inner steps.
        claim=LinearRate(rate=(1 - 0.05 * 0.1) ** (2 * 100), of="value", on="logistic"),
        cost="3 gradients of the mean: one whole, and two on the batch of each inner step of a pass",
        memory="0, and 3n inside a step",
        work=Work(value=3, gradient=3, prox=lambda n, m: m, flops=lambda n, m: 6 * n * m),
        storage=Storage(step=lambda n, m: 3 * n),
        reference="Johnson & Zhang 2013, NeurIPS 26; Xiao & Zhang 2014, doi:10.1137/140961791",
        year=2013,
        space={"step_size": GRADIENT_RATE},
        rank=6,
        cases={
            "ragged-batches": ("lasso", lambda: SVRG(0.02, batch_size=7)),
            "inner-steps": ("logistic", lambda: SVRG(0.1, batch_size=3, inner_steps=5)),
        },
    ),
)
