"""Newton and quasi-Newton methods: a direction from second-order knowledge, and a line search."""

from thalweg.registry.method import Linear, Method, Quadratic, Superlinear
from thalweg.solvers.descent.bfgs import BFGS
from thalweg.solvers.descent.newton import Newton, SaddleFreeNewton
from thalweg.solvers.descent.newton_cg import NewtonCG
from thalweg.solvers.descent.preconditioned import PreconditionedLBFGS

SMOOTH = ("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares", "logistic")
"""Problems without constraints or kinks."""

ROWS = (
    Method(
        name="newton",
        make=Newton,
        family="descent",
        example=lambda problem: Newton(),
        solves=SMOOTH,
        claim=Quadratic(factor=1.0, of="x", on="logistic"),
        cost="1 gradient and value a trial step and 1 more, n Hessian-vector products, n^3/3",
        memory="n, and 2 n^2 inside a step",
        twin="tests.twins.newton",
        reference="Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5",
        year=1948,
    ),
    Method(
        name="saddle-free-newton",
        make=SaddleFreeNewton,
        family="descent",
        example=lambda problem: SaddleFreeNewton(),
        solves=SMOOTH,
        claim=Quadratic(factor=4.0, of="x", on="beale"),
        cost="1 gradient and value a trial step and 1 more, n Hessian-vector products, n^3/3 to 9 n^3",
        memory="n, and 2 n^2 inside a step",
        twin="tests.twins.newton",
        reference="Dauphin et al. 2014, arXiv:1406.2572",
        year=2014,
    ),
    Method(
        name="newton-cg",
        make=NewtonCG,
        family="descent",
        example=lambda problem: NewtonCG(),
        solves=SMOOTH,
        claim=Superlinear(of="value", on="quadratic", by=0.6),
        cost="1 gradient and value a trial step and 1 more, Hessian-vector products as conjugate gradients need them",
        memory="n, and 5n inside a step",
        twin="tests.twins.newton_cg",
        reference="Dembo & Steihaug 1983, doi:10.1007/BF02592055",
        year=1983,
    ),
    Method(
        name="bfgs",
        make=BFGS,
        family="descent",
        example=lambda problem: BFGS(),
        solves=SMOOTH,
        claim=Superlinear(of="value", on="quadratic", by=0.5),
        cost="1 gradient and value a trial step, 4 n^2",
        memory="n^2 + n",
        twin="tests.twins.bfgs",
        reference="Broyden 1970, doi:10.1093/imamat/6.1.76; Fletcher 1970, doi:10.1093/comjnl/13.3.317",
        year=1970,
    ),
    Method(
        name="preconditioned-lbfgs",
        make=PreconditionedLBFGS,
        family="descent",
        example=lambda problem: PreconditionedLBFGS(20),
        solves=("least-squares", "logistic"),
        # 20 examples in 8 variables are few: the preconditioned Hessian has kappa = 18.7. The bound of conjugate
        # gradients, ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2.
        claim=Linear(rate=0.39, of="value", on="least-squares"),
        cost="1 gradient and value a trial step, 4 memory n + 2 n^2; first n products of a sample, 9 n^3",
        memory="n^2 + (2 memory + 1) n",
        twin="tests.twins.preconditioned_lbfgs",
        reference="Byrd, Chin, Neveitt & Nocedal 2011, doi:10.1137/10079923X",
        year=2011,
    ),
)
