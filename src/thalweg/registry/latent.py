"""Latent: models with hidden variables."""

from thalweg.registry.claims import LinearRate
from thalweg.registry.method import Method, Work
from thalweg.solvers.latent.em import EM

LATENT_METHODS = (
    Method(
        name="em",
        make=EM,
        label="EM",
        family="latent",
        example=lambda problem: EM(),
        solves=("mixture",),
        # The square of the largest fraction of missing information there.
        claim=LinearRate(rate=0.75, of="value", on="mixture"),
        cost="1 pass over the data",
        memory="0, and the model's statistics inside a step",
        work=Work(gradient=0),
        reference="Dempster, Laird & Rubin 1977, doi:10.1111/j.2517-6161.1977.tb01600.x",
        year=1977,
        rank=1,
    ),
)
