"""Which method for which problem, from its structure and size, with the reason."""

from typing import NamedTuple

import jax

from thalweg.core.first_order import FirstOrder
from thalweg.core.oracle import PARTS, Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.types import Params
from thalweg.registry import fits, fitting
from thalweg.rules.adam import Adam
from thalweg.solvers.composite.fista import FISTA
from thalweg.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from thalweg.solvers.constrained.projected_gradient import ProjectedGradient
from thalweg.solvers.descent.lbfgs import LBFGS
from thalweg.solvers.descent.lbfgsb import LBFGSB
from thalweg.solvers.latent.em import EM
from thalweg.solvers.least_squares.levenberg_marquardt import LevenbergMarquardt

CONSTRAINTS = frozenset({Oracle.EQUALITY, Oracle.INEQUALITY})
LARGE = 10_000_000
"""Beyond this many variables the pairs of L-BFGS are fewer."""

SMOOTH, SMOOTH_LARGE, PROXIMAL, STOCHASTIC = LBFGS(), LBFGS(memory=5), FISTA(), FirstOrder(Adam())
BOXED, BOXED_LARGE = LBFGSB(), LBFGSB(memory=5)
FITTING, FITTING_LARGE = LevenbergMarquardt(), LevenbergMarquardt(dense=False)
DENSE = 500
"""Up to here the Jacobian of residuals is formed."""
HIDDEN = EM()
PROJECTED = ProjectedGradient()
MULTIPLIERS = tuple(AugmentedLagrangian(inner) for inner in (SMOOTH, BOXED, PROJECTED, PROXIMAL))


FIRST = (
    "LBFGS",
    "LBFGSB",
    "LevenbergMarquardt",
    "FISTA",
    "ProjectedGradient",
    "AugmentedLagrangian",
    "EM",
    "SimulatedAnnealing",
    "Adam",
    "AdamW",
)
"""Methods to name first where many fit."""
FEW = 6
"""Methods that a sentence names."""


class Suggestion(NamedTuple):
    """A method and the reason for it."""

    method: Solver
    reason: str


def suggest(problem: Problem, x: Params) -> Suggestion:
    """The method that `minimize` uses when none is given.

    Raises a `ValueError` that names the part that no method takes, where there is one.
    """
    return choose(problem.offers(x), sum(leaf.size for leaf in jax.tree.leaves(x)))


def choose(offers: frozenset[Oracle], n: int) -> Suggestion:
    """`suggest` for a problem with these `offers` and `n` variables."""
    if offers & {Oracle.EQUALITY, Oracle.INEQUALITY, Oracle.INTEGERS} and not solvable(offers):
        names = ", ".join(sorted(part.value for part in offers & PARTS))
        raise ValueError(f"No method here solves a problem with {names}; `thalweg methods` shows what each one takes.")
    if Oracle.INTEGERS in offers:
        raise ValueError(
            "Integer variables need a method with a move of your choice, e.g. tw.SimulatedAnnealing(tw.moves.TwoOpt(), "
            "temperature=tw.schedules.Exponential(10.0, 1e-3, None)) on a permutation, tw.moves.BitFlip() on bits."
        )
    if Oracle.LATENT in offers:
        return Suggestion(HIDDEN, "EM: a model with hidden variables, whose parameters its own steps keep in place")
    if offers & {Oracle.EQUALITY, Oracle.INEQUALITY}:
        return constrained(offers)
    if Oracle.NONSMOOTH in offers:
        return Suggestion(PROXIMAL, "FISTA: the nonsmooth part has a prox, which it takes")
    if Oracle.SET in offers:
        return Suggestion(PROJECTED, "ProjectedGradient: it stays within the set by projecting")
    if Oracle.BOUNDS in offers:
        method = BOXED if n <= LARGE else BOXED_LARGE
        return Suggestion(method, f"L-BFGS-B: smooth, the same function at every step, {variables(n)} within bounds")
    if Oracle.WHOLE not in offers:
        return Suggestion(STOCHASTIC, "Adam: the loss changes from step to step, and its scale is not known")
    if Oracle.RESIDUALS in offers:
        method = FITTING if n <= DENSE else FITTING_LARGE
        return Suggestion(method, f"Levenberg-Marquardt: residuals of {variables(n)}, the same at every step")
    method = SMOOTH if n <= LARGE else SMOOTH_LARGE
    return Suggestion(method, f"L-BFGS: smooth, the same function at every step, {variables(n)}")


def variables(n: int) -> str:
    """`1 variable`, `2 variables`."""
    return f"{n} variable{'' if n == 1 else 's'}"


def candidates(offers: frozenset[Oracle]) -> str:
    """The methods that fit as a sentence lists them: those to try first, and how many there are beyond."""
    fit = fitting(offers)
    names = [name for name in FIRST if name in fit] + [name for name in fit if name not in FIRST]
    beyond = f" and {len(names) - FEW} more (thalweg methods)" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + beyond or "none in this version"


def solvable(offers: frozenset[Oracle]) -> bool:
    """Whether some method takes all parts."""
    return bool(fitting(offers)) or any(fits(method, offers) for method in MULTIPLIERS)


def constrained(offers: frozenset[Oracle]) -> Suggestion:
    """The method of multipliers around the first inner method that takes the other parts and keeps the bounds."""
    keeping = (method for method in MULTIPLIERS if Oracle.BOUNDS not in offers or Oracle.BOUNDS in method.inner.takes)
    method = next(method for method in keeping if fits(method, offers))
    names = " and ".join(sorted(part.value for part in offers & CONSTRAINTS))
    return Suggestion(method, f"AugmentedLagrangian: {names} constraints become terms of an objective without them")
