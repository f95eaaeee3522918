"""Trust region: a model and a radius."""

from thalweg.registry.method import Method, Superlinear
from thalweg.solvers.trust_region.trust_region import TrustRegion

ROWS = (
    Method(
        name="trust-region",
        make=TrustRegion,
        family="trust_region",
        example=lambda problem: TrustRegion(),
        solves=("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares"),
        claim=Superlinear(of="value", on="himmelblau"),
        cost="2 gradients and values, Hessian-vector products as conjugate gradients need them",
        memory="n, and 5n inside a step",
        twin="tests.twins.trust_region",
        reference="Steihaug 1983, doi:10.1137/0720042; Conn, Gould & Toint 2000, doi:10.1137/1.9780898719857",
        year=1983,
    ),
)
