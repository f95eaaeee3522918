"""Descent: a direction and a line search."""

from thalweg.line_search.backtracking import Backtracking
from thalweg.line_search.hager_zhang import HagerZhang
from thalweg.line_search.polyak import PolyakStep
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.registry.claims import FiniteTermination, LinearRate
from thalweg.registry.method import SEARCHING, Checks, Method, Storage, Work
from thalweg.registry.space import PAIRS, Uniform, WholeNumbers
from thalweg.solvers.descent.conjugate_gradient import ConjugateGradient
from thalweg.solvers.descent.lbfgs import LBFGS
from thalweg.solvers.descent.steepest import BarzilaiBorweinDescent, PolyakDescent, SteepestDescent

DESCENT_METHODS = (
    Method(
        name="steepest-descent",
        make=SteepestDescent,
        label="Steepest descent",
        family="descent",
        example=lambda problem: SteepestDescent(),
        solves=("quadratic", "least-squares"),
        # There L = 1, so the first trial s = 1 lowers the value by (1 - s L / 2) |g|^2 at least and always passes:
        # every step contracts the error by max |1 - s a_i| = 1 - mu / L, the value by its square.
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient and value a trial step",
        memory="n",
        work=Work(flops=lambda n, m: 4 * n),
        storage=Storage(lambda n, m: n),
        reference="Cauchy 1847; Armijo 1966, doi:10.2140/pjm.1966.16.1",
        year=1847,
        known_by=("direction",),
        cases={
            "numbers": ("rosenbrock", lambda: SteepestDescent(Backtracking(0.3, 0.8))),
            "parabola": ("rosenbrock", lambda: SteepestDescent(Backtracking(0.3, interpolate=True))),
        },
    ),
    Method(
        name="barzilai-borwein",
        make=BarzilaiBorweinDescent,
        label="Barzilai-Borwein",
        family="descent",
        example=lambda problem: BarzilaiBorweinDescent("long" if problem == "beale" else "alternate"),
        solves=("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares"),
        # Proven is a linear rate in the sense of roots, without a constant to speak of. The claim is what is measured:
        # (sqrt(kappa) - 1) / (sqrt(kappa) + 1) with kappa = 100.
        claim=LinearRate(rate=(10 - 1) / (10 + 1), of="value", on="quadratic"),
        cost="1 gradient and value a trial step",
        memory="n + memory",
        work=Work(flops=lambda n, m: 10 * n),
        storage=Storage(lambda n, m: n),
        reference="Barzilai & Borwein 1988, doi:10.1093/imanum/8.1.141; Raydan 1997, doi:10.1137/S1052623494266365",
        year=1988,
        known_by=("direction", "search"),
        space={"memory": WholeNumbers(1, 20)},
        cases={
            "short": ("rosenbrock", lambda: BarzilaiBorweinDescent("short", 1, 0.1)),
            "long": ("rosenbrock", lambda: BarzilaiBorweinDescent("long", 3)),
        },
    ),
    Method(
        name="polyak",
        make=PolyakDescent,
        label="Polyak",
        family="descent",
        example=lambda problem: PolyakDescent(0.0),
        solves=("quadratic", "himmelblau", "beale"),
        # |x_next - x*|^2 <= |x - x*|^2 - (f / |g|)^2, and f >= mu / 2 |x - x*|^2, |g|^2 <= 2 L f give the factor
        # sqrt(1 - mu / 4L) = 0.9987 for the distance. Measured is that of the best fixed step.
        claim=LinearRate(rate=(100 - 1) / (100 + 1), of="x", on="quadratic"),
        cost="1 gradient and value",
        memory="n",
        work=Work(flops=lambda n, m: 6 * n),
        storage=Storage(lambda n, m: n),
        reference="Polyak 1969, doi:10.1016/0041-5553(69)90061-5; Hazan & Kakade 2019, arXiv:1905.00313",
        year=1969,
        known_by=("direction", "search"),
        space={"scale": Uniform(0.2, 1.8)},
        cases={
            "numbers": ("rosenbrock", lambda: PolyakDescent(-1.0, 0.3)),
            "level": ("least-squares", lambda: SteepestDescent(PolyakStep(None, 0.7, 0.4, 1.5))),
        },
    ),
    Method(
        name="conjugate-gradient",
        make=ConjugateGradient,
        label="Conjugate gradient",
        family="descent",
        example=lambda problem: ConjugateGradient("polak-ribiere" if problem == "beale" else "hager-zhang"),
        solves=("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares"),
        # With an exact search; this one is exact on a quadratic where it does not accept its first trial, because then
        # the second is the zero of the secant. Ten variables.
        claim=FiniteTermination(steps=10, of="value", on="quadratic"),
        cost="1 gradient and value a trial step, 7 n multiplications",
        memory="2n",
        work=Work(flops=lambda n, m: 14 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="Hager & Zhang 2005, doi:10.1137/030601880; Polak & Ribière 1969, doi:10.1051/m2an/196903R100351",
        year=2005,
        known_by=("direction",),
        space={"truncation": Uniform(0.1, 0.9)},
        rank=5,
        cases={
            "numbers": (
                "rosenbrock",
                lambda: ConjugateGradient("hager-zhang", 0.9, HagerZhang(0.01, 0.02, 0.4, 0.3, 2.0)),
            ),
            "polak-ribiere": (
                "rosenbrock",
                lambda: ConjugateGradient("polak-ribiere", search=HagerZhang(0.2, 0.3, 0.7, 0.1, 8.0)),
            ),
        },
        checks=Checks(
            change=0.45,
            points=9,
            why="it ends after ten steps on the quadratic; a search accepts much, whatever its numbers",
        ),
    ),
    Method(
        name="lbfgs",
        make=LBFGS,
        label="L-BFGS",
        family="descent",
        example=lambda problem: LBFGS(),
        solves=("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares"),
        # The bound of conjugate gradients, ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2 with kappa = 100: with an exact
        # search the two methods are one on a quadratic of at most `memory` variables.
        claim=LinearRate(rate=((10 - 1) / (10 + 1)) ** 2, of="value", on="quadratic"),
        cost="1 gradient and value a trial step, 4 memory n multiplications",
        memory="(2 memory + 1) n",
        work=Work(flops=lambda n, m: 80 * n),
        storage=Storage(lambda n, m: 21 * n),
        reference="Liu & Nocedal 1989, doi:10.1007/BF01589116",
        year=1989,
        known_by=("direction",),
        space={"memory": PAIRS},
        rank=1,
        namesake="scipy.optimize.minimize(method='L-BFGS-B') without bounds, optax.lbfgs",
        cases={
            "full-ring": ("rosenbrock", lambda: LBFGS(3)),
            "zoom": ("beale", lambda: LBFGS(2, StrongWolfe(slope=1e-2, curvature=0.05))),
            "given-up": ("rosenbrock", lambda: LBFGS(2, StrongWolfe(curvature=0.01, max_trials=2))),
        },
        checks=SEARCHING,
    ),
)
