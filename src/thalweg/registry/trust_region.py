"""Trust region: a model and a radius, or a weight in place of the radius."""

from thalweg.registry.method import Linear, Method, Quadratic, Superlinear
from thalweg.solvers.trust_region.cauchy import TrustCauchy
from thalweg.solvers.trust_region.cubic import CubicRegularization
from thalweg.solvers.trust_region.dogleg import TrustDogleg
from thalweg.solvers.trust_region.exact import TrustExact
from thalweg.solvers.trust_region.sr1 import SR1
from thalweg.solvers.trust_region.trust_region import TrustRegion

SMOOTH = ("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares")

ROWS = (
    Method(
        name="trust-region",
        make=TrustRegion,
        family="trust_region",
        example=lambda problem: TrustRegion(),
        solves=SMOOTH,
        claim=Superlinear(of="value", on="bard"),
        cost="1 gradient, 2 values, Hessian-vector products as conjugate gradients need them",
        memory="n, and 5n inside a step",
        twin="tests.twins.trust_region",
        reference="Steihaug 1983, doi:10.1137/0720042; Conn, Gould & Toint 2000, doi:10.1137/1.9780898719857",
        year=1983,
    ),
    Method(
        name="trust-cauchy",
        make=TrustCauchy,
        family="trust_region",
        example=lambda problem: TrustCauchy(),
        solves=("quadratic", "himmelblau", "least-squares"),
        claim=Linear(rate=((100 - 1) / (100 + 1)) ** 2, of="value", on="quadratic"),
        cost="1 gradient, 2 values, 1 Hessian-vector product",
        memory="n",
        twin="tests.twins.trust_cauchy",
        reference="Cauchy 1847; Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 4.1",
        year=1970,
    ),
    Method(
        name="trust-dogleg",
        make=TrustDogleg,
        family="trust_region",
        example=lambda problem: TrustDogleg(),
        solves=SMOOTH,
        claim=Quadratic(factor=50.0, of="optimality", on="beale"),
        cost="1 gradient, 2 values, n Hessian-vector products, O(n^3)",
        memory="n, and 3n^2 inside a step",
        twin="tests.twins.trust_dogleg",
        reference="Powell 1970; Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 4.1",
        year=1970,
    ),
    Method(
        name="trust-exact",
        make=TrustExact,
        family="trust_region",
        example=lambda problem: TrustExact(),
        solves=SMOOTH,
        claim=Quadratic(factor=50.0, of="optimality", on="beale"),
        cost="1 gradient, 2 values, n Hessian-vector products, O(n^3)",
        memory="n, and 3n^2 inside a step",
        twin="tests.twins.trust_exact",
        reference="Moré & Sorensen 1983, doi:10.1137/0904038",
        year=1983,
    ),
    Method(
        name="cubic-regularization",
        make=CubicRegularization,
        family="trust_region",
        example=lambda problem: CubicRegularization(),
        solves=SMOOTH,
        claim=Quadratic(factor=50.0, of="optimality", on="beale"),
        cost="1 gradient, 2 values, n Hessian-vector products, O(n^3)",
        memory="n, and 3n^2 inside a step",
        twin="tests.twins.cubic_regularization",
        reference="Cartis, Gould & Toint 2011, doi:10.1007/s10107-009-0286-5",
        year=2011,
    ),
    Method(
        name="sr1",
        make=SR1,
        family="trust_region",
        example=lambda problem: SR1(),
        solves=SMOOTH,
        # Exact after n + 1 independent steps on a quadratic; for the last digit of 10 variables it takes 12.
        claim=Linear(rate=0.5, of="value", on="quadratic"),
        cost="1 gradient and value",
        memory="n^2",
        twin="tests.twins.sr1",
        reference="Conn, Gould & Toint 1991, doi:10.1007/BF01594934",
        year=1991,
    ),
)
