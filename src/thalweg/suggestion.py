"""Which method for which problem, from its structure and size, with the reason."""

from typing import NamedTuple

import jax

from thalweg.core.first_order import FirstOrder
from thalweg.core.oracle import PARTS, Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver, fits
from thalweg.core.types import Params
from thalweg.registry import METHODS, fitting
from thalweg.rules.adam import Adam
from thalweg.solvers.composite.fista import FISTA
from thalweg.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from thalweg.solvers.constrained.projected_gradient import ProjectedGradient
from thalweg.solvers.descent.lbfgs import LBFGS
from thalweg.solvers.descent.lbfgsb import LBFGSB
from thalweg.solvers.latent.em import EM
from thalweg.solvers.least_squares.levenberg_marquardt import LevenbergMarquardt

_CONSTRAINTS = frozenset({Oracle.EQUALITY, Oracle.INEQUALITY})
_LARGE = 10_000_000
"""Beyond this many variables the pairs of L-BFGS are fewer."""
_DENSE_JACOBIAN = 500
"""Up to this many variables the Jacobian of residuals is formed."""
_NAMED = 3
"""Methods that a refusal names."""

_UNCONSTRAINED, _UNCONSTRAINED_LARGE = LBFGS(), LBFGS(memory=5)
_BOXED, _BOXED_LARGE = LBFGSB(), LBFGSB(memory=5)
_RESIDUAL, _RESIDUAL_LARGE = LevenbergMarquardt(), LevenbergMarquardt(dense=False)
_PROXIMAL, _PROJECTED, _STOCHASTIC, _LATENT = FISTA(), ProjectedGradient(), FirstOrder(Adam()), EM()
_MULTIPLIERS = tuple(AugmentedLagrangian(inner) for inner in (_UNCONSTRAINED, _BOXED, _PROJECTED, _PROXIMAL))


class Suggestion(NamedTuple):
    """A method and the reason for it."""

    method: Solver
    reason: str


def suggest(problem: Problem, x: Params) -> Suggestion:
    """The method that `minimize` uses for a `problem` and variables like `x` when none is given.

    Raises a `ValueError` that names the part that no method takes, where there is one.
    """
    return choose(problem.offers(x), sum(leaf.size for leaf in jax.tree.leaves(x)))


def choose(offers: frozenset[Oracle], n: int) -> Suggestion:
    """`suggest` for a problem with these `offers` and `n` variables."""
    if offers & (_CONSTRAINTS | {Oracle.INTEGERS}) and not _is_solvable(offers):
        names = ", ".join(sorted(part.value for part in offers & PARTS))
        raise ValueError(f"No method here solves a problem with {names}; `thalweg methods` shows what each one takes.")
    if Oracle.INTEGERS in offers:
        raise ValueError(
            "Integer variables need a method with a move of your choice, e.g. tw.SimulatedAnnealing(tw.moves.TwoOpt(), "
            "temperature=tw.schedules.Exponential(10.0, 1e-3, None)) on a permutation, tw.moves.BitFlip() on bits."
        )
    if Oracle.LATENT in offers:
        return _suggestion("em", _LATENT, "a model with hidden variables, whose parameters its own steps keep in place")
    if offers & _CONSTRAINTS:
        return _constrained(offers)
    if Oracle.NONSMOOTH in offers:
        return _suggestion("fista", _PROXIMAL, "the nonsmooth part has a prox, which it takes")
    if Oracle.SET in offers:
        return _suggestion("projected-gradient", _PROJECTED, "it stays within the set by projecting")
    if Oracle.BOUNDS in offers:
        method = _BOXED if n <= _LARGE else _BOXED_LARGE
        return _suggestion("lbfgsb", method, f"smooth, the same function at every step, {_variables(n)} within bounds")
    if Oracle.WHOLE not in offers:
        return _suggestion("adam", _STOCHASTIC, "the loss changes from step to step, and its scale is not known")
    if Oracle.RESIDUALS in offers:
        method = _RESIDUAL if n <= _DENSE_JACOBIAN else _RESIDUAL_LARGE
        return _suggestion("levenberg-marquardt", method, f"residuals of {_variables(n)}, the same at every step")
    method = _UNCONSTRAINED if n <= _LARGE else _UNCONSTRAINED_LARGE
    return _suggestion("lbfgs", method, f"smooth, the same function at every step, {_variables(n)}")


def candidates(offers: frozenset[Oracle]) -> str:
    """The methods that fit as a sentence lists them: the best for this structure, and how many there are beyond."""
    names = fitting(offers)
    beyond = f" and {len(names) - _NAMED} more (thalweg methods)" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + beyond or "none in this version"


def _suggestion(name: str, method: Solver, reason: str) -> Suggestion:
    """A configured method, and the reason after its name."""
    return Suggestion(method, f"{METHODS[name].label}: {reason}")


def _variables(n: int) -> str:
    """`1 variable`, `2 variables`."""
    return f"{n} variable{'' if n == 1 else 's'}"


def _is_solvable(offers: frozenset[Oracle]) -> bool:
    """Whether some method takes all parts."""
    return bool(fitting(offers)) or any(fits(method, offers) for method in _MULTIPLIERS)


def _constrained(offers: frozenset[Oracle]) -> Suggestion:
    """The method of multipliers around the first inner method that takes the other parts and keeps the bounds."""
    keeping = (method for method in _MULTIPLIERS if Oracle.BOUNDS not in offers or Oracle.BOUNDS in method.inner.takes)
    method = next(method for method in keeping if fits(method, offers))
    names = " and ".join(sorted(part.value for part in offers & _CONSTRAINTS))
    return _suggestion("augmented-lagrangian", method, f"{names} constraints become terms of an objective without them")
