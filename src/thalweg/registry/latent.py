"""Latent: models with hidden variables."""

from thalweg.registry.method import Linear, Method
from thalweg.solvers.latent.em import EM

ROWS = (
    Method(
        name="em",
        make=EM,
        family="latent",
        example=lambda problem: EM(),
        solves=("mixture",),
        # The square of the largest fraction of missing information there.
        claim=Linear(rate=0.75, of="value", on="mixture"),
        cost="1 pass over the data",
        memory="the model's statistics",
        twin="tests.twins.em",
        reference="Dempster, Laird & Rubin 1977, doi:10.1111/j.2517-6161.1977.tb01600.x",
        year=1977,
    ),
)
