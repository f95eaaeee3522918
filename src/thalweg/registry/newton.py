"""Newton and quasi-Newton methods: a direction from second-order knowledge, and a line search."""

from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.registry.claims import LinearRate, QuadraticRate, SuperlinearRate
from thalweg.registry.method import SEARCHING, Checks, Method, Storage, Work
from thalweg.registry.space import PAIRS, LogUniform
from thalweg.solvers.descent.bfgs import BFGS
from thalweg.solvers.descent.newton import Newton, SaddleFreeNewton
from thalweg.solvers.descent.newton_cg import NewtonCG
from thalweg.solvers.descent.preconditioned import PreconditionedLBFGS

_SMOOTH_PROBLEMS = ("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares", "logistic")
"""Problems without constraints or kinks."""

NEWTON_METHODS = (
    Method(
        name="newton",
        make=Newton,
        label="Newton",
        family="descent",
        example=lambda problem: Newton(),
        solves=_SMOOTH_PROBLEMS,
        claim=QuadraticRate(factor=1.0, of="x", on="logistic"),
        cost="1 gradient and value a trial step and 1 more, n Hessian-vector products, n^3/3",
        memory="n, and 2 n^2 inside a step",
        work=Work(value=2, gradient=2, hvp=lambda n, m: n, flops=lambda n, m: n**3 / 3),
        storage=Storage(lambda n, m: n, step=lambda n, m: 2 * n**2),
        reference="Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5",
        year=1948,
        known_by=("direction",),
        space={"damping": LogUniform(1e-8, 1.0)},
        rank=6,
        cases={
            "numbers": ("rosenbrock", lambda: Newton(StrongWolfe(1e-2, 0.1), "absolute", 0.3, 0.2)),
            "shift": ("himmelblau", lambda: Newton(damping=0.1, max_step=0.5)),
        },
        checks=Checks(
            change=0.01,
            points=2,
            why="it ends after one step on a quadratic; a search accepts much, whatever its numbers",
        ),
    ),
    Method(
        name="saddle-free-newton",
        make=SaddleFreeNewton,
        label="Saddle-free Newton",
        family="descent",
        example=lambda problem: SaddleFreeNewton(),
        solves=_SMOOTH_PROBLEMS,
        claim=QuadraticRate(factor=4.0, of="x", on="beale"),
        cost="1 gradient and value a trial step and 1 more, n Hessian-vector products, n^3/3 to 9 n^3",
        memory="n, and 2 n^2 inside a step",
        work=Work(value=2, gradient=2, hvp=lambda n, m: n, flops=lambda n, m: 9 * n**3),
        storage=Storage(lambda n, m: n, step=lambda n, m: 2 * n**2),
        reference="Dauphin et al. 2014, arXiv:1406.2572",
        year=2014,
        known_by=("direction",),
        space={"damping": LogUniform(1e-8, 1.0)},
        twin_of="newton",
        checks=Checks(
            change=0.01,
            points=2,
            why="it ends after one step on a quadratic; a search accepts much, whatever its numbers",
        ),
    ),
    Method(
        name="newton-cg",
        make=NewtonCG,
        label="Newton-CG",
        family="descent",
        example=lambda problem: NewtonCG(),
        solves=_SMOOTH_PROBLEMS,
        claim=SuperlinearRate(of="value", on="quadratic", by=0.6),
        cost="1 gradient and value a trial step and 1 more, Hessian-vector products as conjugate gradients need them",
        memory="n, and 5n inside a step",
        work=Work(value=2, gradient=2, hvp=1, flops=lambda n, m: 20 * n),
        storage=Storage(lambda n, m: n, step=lambda n, m: 5 * n),
        reference="Dembo & Steihaug 1983, doi:10.1007/BF02592055",
        year=1983,
        known_by=("direction",),
        space={"forcing": LogUniform(1e-3, 0.5)},
        rank=4,
        namesake="scipy.optimize.minimize(method='Newton-CG')",
        cases={
            "numbers": ("rosenbrock", lambda: NewtonCG(StrongWolfe(1e-2, 0.1), 0.01, 5, 0.1)),
        },
        checks=Checks(
            change=0.01,
            points=5,
            why="it ends after few steps on a quadratic; a search accepts much, whatever its numbers",
        ),
    ),
    Method(
        name="bfgs",
        make=BFGS,
        label="BFGS",
        family="descent",
        example=lambda problem: BFGS(),
        solves=_SMOOTH_PROBLEMS,
        claim=SuperlinearRate(of="value", on="quadratic", by=0.5),
        cost="1 gradient and value a trial step, 4 n^2 multiplications",
        memory="n^2 + n",
        work=Work(flops=lambda n, m: 8 * n**2),
        storage=Storage(lambda n, m: n**2 + n),
        reference="Broyden 1970, doi:10.1093/imamat/6.1.76; Fletcher 1970, doi:10.1093/comjnl/13.3.317",
        year=1970,
        known_by=("direction",),
        rank=3,
        namesake="scipy.optimize.minimize(method='BFGS')",
        cases={
            "zoom": ("beale", lambda: BFGS(StrongWolfe(slope=1e-2, curvature=0.05))),
            "given-up": ("rosenbrock", lambda: BFGS(StrongWolfe(curvature=0.01, max_trials=2))),
        },
        checks=SEARCHING,
    ),
    Method(
        name="preconditioned-lbfgs",
        make=PreconditionedLBFGS,
        label="Preconditioned L-BFGS",
        family="descent",
        example=lambda problem: PreconditionedLBFGS(20),
        solves=("least-squares", "logistic"),
        # 20 examples in 8 variables are few: the preconditioned Hessian has kappa = 18.7. The bound of conjugate
        # gradients, ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2.
        claim=LinearRate(rate=0.39, of="value", on="least-squares"),
        cost="1 gradient and value a trial step, 4 memory n + 2 n^2 multiplications; first n sampled products, 9 n^3",
        memory="n^2 + (2 memory + 1) n",
        work=Work(flops=lambda n, m: 80 * n + 4 * n**2),
        storage=Storage(lambda n, m: n**2 + 21 * n),
        reference="Byrd, Chin, Neveitt & Nocedal 2011, doi:10.1137/10079923X",
        year=2011,
        known_by=("direction",),
        space={"memory": PAIRS},
        rank=7,
        cases={
            "whole": ("logistic", lambda: PreconditionedLBFGS(1000, 3)),
            "numbers": ("logistic", lambda: PreconditionedLBFGS(7, 2, 0.3, StrongWolfe(slope=1e-2, curvature=0.05))),
        },
        checks=SEARCHING,
    ),
)
