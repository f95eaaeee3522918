"""Descent: a direction and a line search."""

from thalweg.registry.method import Finite, Linear, Method
from thalweg.solvers.descent.conjugate_gradient import ConjugateGradient
from thalweg.solvers.descent.lbfgs import LBFGS
from thalweg.solvers.descent.steepest import BarzilaiBorweinDescent, PolyakDescent, SteepestDescent

ROWS = (
    Method(
        name="steepest-descent",
        make=SteepestDescent,
        family="descent",
        example=lambda problem: SteepestDescent(),
        solves=("quadratic", "least-squares"),
        # There L = 1, so the first trial s = 1 lowers the value by (1 - s L / 2) |g|^2 at least and always passes:
        # every step contracts the error by max |1 - s a_i| = 1 - mu / L, the value by its square.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient and value a trial step",
        memory="n",
        twin="tests.twins.steepest_descent",
        reference="Cauchy 1847; Armijo 1966, doi:10.2140/pjm.1966.16.1",
        year=1847,
    ),
    Method(
        name="barzilai-borwein",
        make=BarzilaiBorweinDescent,
        family="descent",
        example=lambda problem: BarzilaiBorweinDescent("long" if problem == "beale" else "alternate"),
        solves=("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares"),
        # Proven is a linear rate in the sense of roots, without a constant to speak of. The claim is what is measured:
        # (sqrt(kappa) - 1) / (sqrt(kappa) + 1) with kappa = 100.
        claim=Linear(rate=(10 - 1) / (10 + 1), of="value", on="quadratic"),
        cost="1 gradient and value a trial step",
        memory="n + memory",
        twin="tests.twins.barzilai_borwein",
        reference="Barzilai & Borwein 1988, doi:10.1093/imanum/8.1.141; Raydan 1997, doi:10.1137/S1052623494266365",
        year=1988,
    ),
    Method(
        name="polyak",
        make=PolyakDescent,
        family="descent",
        example=lambda problem: PolyakDescent(0.0),
        solves=("quadratic", "himmelblau", "beale"),
        # |x_next - x*|^2 <= |x - x*|^2 - (f / |g|)^2, and f >= mu / 2 |x - x*|^2, |g|^2 <= 2 L f give the factor
        # sqrt(1 - mu / 4L) = 0.9987 for the distance. Measured is that of the best fixed step.
        claim=Linear(rate=(100 - 1) / (100 + 1), of="x", on="quadratic"),
        cost="1 gradient and value",
        memory="n",
        twin="tests.twins.polyak",
        reference="Polyak 1969, doi:10.1016/0041-5553(69)90061-5; Hazan & Kakade 2019, arXiv:1905.00313",
        year=1969,
    ),
    Method(
        name="conjugate-gradient",
        make=ConjugateGradient,
        family="descent",
        example=lambda problem: ConjugateGradient("polak-ribiere" if problem == "beale" else "hager-zhang"),
        solves=("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares"),
        # With an exact search; this one is exact on a quadratic where it does not accept its first trial, because then
        # the second is the zero of the secant. Ten variables.
        claim=Finite(steps=10, of="value", on="quadratic"),
        cost="1 gradient and value a trial step, 10 n",
        memory="2 n",
        twin="tests.twins.conjugate_gradient",
        reference="Hager & Zhang 2005, doi:10.1137/030601880; Polak & Ribière 1969, doi:10.1051/m2an/196903R100351",
        year=2005,
    ),
    Method(
        name="lbfgs",
        make=LBFGS,
        family="descent",
        example=lambda problem: LBFGS(),
        solves=("quadratic", "rosenbrock", "beale", "himmelblau", "least-squares"),
        # The bound of conjugate gradients, ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2 with kappa = 100: with an exact
        # search the two methods are one on a quadratic of at most `memory` variables.
        claim=Linear(rate=((10 - 1) / (10 + 1)) ** 2, of="value", on="quadratic"),
        cost="1 gradient and value a trial step, 4 memory n",
        memory="(2 memory + 1) n",
        twin="tests.twins.lbfgs",
        reference="Liu & Nocedal 1989, doi:10.1007/BF01589116",
        year=1989,
    ),
)
