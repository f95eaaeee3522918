"""Composite: smooth plus nonsmooth."""

from thalweg.registry.claims import SublinearRate
from thalweg.registry.method import Method, Storage, Work
from thalweg.solvers.composite.fista import FISTA

COMPOSITE_METHODS = (
    Method(
        name="fista",
        make=FISTA,
        label="FISTA",
        family="composite",
        example=lambda problem: FISTA(),
        solves=("quadratic", "least-squares", "lasso"),
        # With the constant 2 max(L / decrease, 1 / step_size) |x0 - x*|^2 and (t + 1)^2.
        claim=SublinearRate(order=2, of="value", on="lasso"),
        cost="1 gradient, 1 value and 1 prox a trial step",
        memory="n",
        work=Work(value=2, prox=1, flops=lambda n, m: 14 * n),
        storage=Storage(lambda n, m: n),
        reference="Beck & Teboulle 2009, doi:10.1137/080716542",
        year=2009,
        rank=2,
        cases={
            "numbers": ("lasso", lambda: FISTA(8.0, decrease=0.7, growth=1.5)),
        },
    ),
)
