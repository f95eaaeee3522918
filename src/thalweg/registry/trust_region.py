"""Trust region: a model and a radius, or a weight in place of the radius."""

from thalweg.registry.claims import LinearRate, QuadraticRate, SuperlinearRate
from thalweg.registry.method import TRUSTING, Method, Storage, Work
from thalweg.registry.space import RADIUS
from thalweg.solvers.trust_region.cauchy import CauchyPoint, TrustCauchy
from thalweg.solvers.trust_region.cubic import CubicRegularization
from thalweg.solvers.trust_region.dogleg import Dogleg, TrustDogleg
from thalweg.solvers.trust_region.exact import ExactStep, TrustExact
from thalweg.solvers.trust_region.sr1 import SR1, SR1Model
from thalweg.solvers.trust_region.steihaug import SteihaugCG
from thalweg.solvers.trust_region.trust_region import TrustRegion

_TRUST_REGION_PROBLEMS = ("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares")

TRUST_REGION_METHODS = (
    Method(
        name="trust-region",
        make=TrustRegion,
        label="Trust region",
        family="trust_region",
        example=lambda problem: TrustRegion(),
        solves=_TRUST_REGION_PROBLEMS,
        claim=SuperlinearRate(of="value", on="bard"),
        cost="1 gradient, 2 values, Hessian-vector products as conjugate gradients need them",
        memory="0, and 6n inside a step",
        work=Work(value=2, hvp=1, flops=lambda n, m: 20 * n),
        storage=Storage(step=lambda n, m: 6 * n),
        reference="Steihaug 1983, doi:10.1137/0720042; Conn, Gould & Toint 2000, doi:10.1137/1.9780898719857",
        year=1983,
        known_by=("subproblem", "model"),
        space={"radius": RADIUS},
        rank=2,
        namesake="scipy.optimize.minimize(method='trust-ncg')",
        cases={
            "numbers": (
                "rosenbrock",
                lambda: TrustRegion(SteihaugCG(0.2, 1), 0.3, 0.5, accept=0.2, shrink=0.4, growth=1.5),
            ),
        },
        checks=TRUSTING,
    ),
    Method(
        name="trust-cauchy",
        make=TrustCauchy,
        label="Cauchy point",
        family="trust_region",
        example=lambda problem: TrustCauchy(),
        solves=("quadratic", "himmelblau", "least-squares"),
        claim=LinearRate(rate=((100 - 1) / (100 + 1)) ** 2, of="value", on="quadratic"),
        cost="1 gradient, 2 values, 1 Hessian-vector product",
        memory="0, and 2n inside a step",
        work=Work(value=2, hvp=1, flops=lambda n, m: 10 * n),
        storage=Storage(step=lambda n, m: 2 * n),
        reference="Cauchy 1847; Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 4.1",
        year=1970,
        known_by=("subproblem", "model"),
        space={"radius": RADIUS},
        cases={
            "numbers": ("rosenbrock", lambda: TrustRegion(CauchyPoint(), 0.3, 0.5, accept=0.2, shrink=0.4, growth=1.5)),
        },
        checks=TRUSTING,
    ),
    Method(
        name="trust-dogleg",
        make=TrustDogleg,
        label="Dogleg",
        family="trust_region",
        example=lambda problem: TrustDogleg(),
        solves=_TRUST_REGION_PROBLEMS,
        claim=QuadraticRate(factor=50.0, of="optimality", on="beale"),
        cost="1 gradient, 2 values, n Hessian-vector products, O(n^3)",
        memory="0, and 3n^2 inside a step",
        work=Work(value=2, hvp=lambda n, m: n, flops=lambda n, m: 9 * n**3),
        storage=Storage(step=lambda n, m: 3 * n**2),
        reference="Powell 1970; Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 4.1",
        year=1970,
        known_by=("subproblem", "model"),
        space={"radius": RADIUS},
        namesake="scipy.optimize.minimize(method='dogleg'), for positive definite Hessians",
        cases={
            "numbers": ("rosenbrock", lambda: TrustRegion(Dogleg(), 0.3, 0.5, accept=0.2, shrink=0.4, growth=1.5)),
        },
        checks=TRUSTING,
    ),
    Method(
        name="trust-exact",
        make=TrustExact,
        label="Exact trust region",
        family="trust_region",
        example=lambda problem: TrustExact(),
        solves=_TRUST_REGION_PROBLEMS,
        claim=QuadraticRate(factor=50.0, of="optimality", on="beale"),
        cost="1 gradient, 2 values, n Hessian-vector products, O(n^3)",
        memory="0, and 3n^2 inside a step",
        work=Work(value=2, hvp=lambda n, m: n, flops=lambda n, m: 9 * n**3),
        storage=Storage(step=lambda n, m: 3 * n**2),
        reference="Moré & Sorensen 1983, doi:10.1137/0904038",
        year=1983,
        known_by=("subproblem", "model"),
        space={"radius": RADIUS},
        namesake="scipy.optimize.minimize(method='trust-exact')",
        cases={
            "numbers": ("himmelblau", lambda: TrustRegion(ExactStep(), 0.3, 0.5, accept=0.2, shrink=0.4, growth=1.5)),
        },
        checks=TRUSTING,
    ),
    Method(
        name="cubic-regularization",
        make=CubicRegularization,
        label="Cubic regularization",
        family="trust_region",
        example=lambda problem: CubicRegularization(),
        solves=_TRUST_REGION_PROBLEMS,
        claim=QuadraticRate(factor=50.0, of="optimality", on="beale"),
        cost="1 gradient, 2 values, n Hessian-vector products, O(n^3)",
        memory="0, and 3n^2 inside a step",
        work=Work(value=2, hvp=lambda n, m: n, flops=lambda n, m: 9 * n**3),
        storage=Storage(step=lambda n, m: 3 * n**2),
        reference="Cartis, Gould & Toint 2011, doi:10.1007/s10107-009-0286-5",
        year=2011,
        known_by=("subproblem", "model"),
        space={"radius": RADIUS},
        cases={
            "numbers": ("himmelblau", lambda: CubicRegularization(0.3, accept=0.2, shrink=0.4, growth=1.5)),
        },
        checks=TRUSTING,
    ),
    Method(
        name="sr1",
        make=SR1,
        label="SR1",
        family="trust_region",
        example=lambda problem: SR1(),
        solves=_TRUST_REGION_PROBLEMS,
        # Exact after n + 1 independent steps on a quadratic; for the last digit of 10 variables it takes 12.
        claim=LinearRate(rate=0.5, of="value", on="quadratic"),
        cost="1 gradient and value",
        memory="n^2 + n",
        work=Work(flops=lambda n, m: 8 * n**2),
        storage=Storage(lambda n, m: n**2 + n),
        reference="Conn, Gould & Toint 1991, doi:10.1007/BF01594934",
        year=1991,
        known_by=("model",),
        space={"radius": RADIUS},
        rank=8,
        cases={
            "numbers": (
                "rosenbrock",
                lambda: TrustRegion(
                    SteihaugCG(0.2, 5), 0.3, 0.5, accept=0.2, shrink=0.4, growth=1.5, model=SR1Model(0.3)
                ),
            ),
        },
        checks=TRUSTING,
    ),
)
