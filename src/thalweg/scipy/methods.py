"""SciPy's names of methods, and what stands behind each here."""

import difflib
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from thalweg.core.solver import Solver
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from thalweg.solvers.descent.lbfgsb import LBFGSB


class Choice(NamedTuple):
    """One of SciPy's methods.

    - `make`: from its options to a solver. `options`: those that it reads, beside the common ones.
    - `gtol`: SciPy's default. `takes`: of `bounds` and `constraints`. `maxiter`: SciPy's limit for `n` variables.
    """

    make: Callable[[dict[str, Any]], Solver]
    options: tuple[str, ...] = ()
    gtol: float = 1e-5
    takes: tuple[str, ...] = ()
    maxiter: Callable[[int], int] = lambda n: 200 * n


def named(name: str) -> Callable[..., Any]:
    """A method by its name in `thalweg`, looked up when it is asked for."""
    make = getattr(importlib.import_module("thalweg"), name, None)
    if make is None:
        raise NotImplementedError(f"tw.{name} is not part of this version; `thalweg methods` lists what is.")
    return make


def search(options: dict[str, Any]) -> StrongWolfe:
    """The line search with SciPy's names of its numbers."""
    names = {"c1": "slope", "c2": "curvature", "maxls": "max_trials"}
    return StrongWolfe(**{ours: options[theirs] for theirs, ours in names.items() if theirs in options})


def region(name: str) -> Callable[[dict[str, Any]], Solver]:
    """A trust region with SciPy's names of its numbers."""
    names = {"initial_trust_radius": "radius", "max_trust_radius": "max_radius", "eta": "accept"}
    return lambda options: named(name)(**{names[key]: value for key, value in options.items() if key in names})


RADII = ("initial_trust_radius", "max_trust_radius", "eta")
CONSTRAINED = ("bounds", "constraints")


def multipliers(options: dict[str, Any]) -> Solver:
    """The method of multipliers; bounds stay with its inner method."""
    return AugmentedLagrangian(LBFGSB())


TABLE: dict[str, Choice] = {
    "bfgs": Choice(lambda options: named("BFGS")(search=search(options)), ("c1", "c2")),
    "cg": Choice(lambda options: named("ConjugateGradient")(), ()),
    "newton-cg": Choice(lambda options: named("NewtonCG")(search=search(options)), ("c1", "c2")),
    "l-bfgs-b": Choice(
        lambda options: LBFGSB(options.get("maxcor", 10), search(options)),
        ("maxcor", "maxls"),
        takes=("bounds",),
        maxiter=lambda n: 15_000,
    ),
    "trust-ncg": Choice(region("TrustRegion"), RADII, 1e-4),
    "trust-exact": Choice(region("TrustExact"), RADII, 1e-4),
    "dogleg": Choice(region("TrustDogleg"), RADII, 1e-4),
    "slsqp": Choice(multipliers, gtol=1e-6, takes=CONSTRAINED, maxiter=lambda n: 1000),
    "trust-constr": Choice(multipliers, gtol=1e-8, takes=CONSTRAINED, maxiter=lambda n: 1000),
}
"""SciPy's name in lower case -> what it means here."""

INSTEAD = {
    "tnc": "'L-BFGS-B' takes the same bounds",
    "trust-krylov": "'trust-ncg' is the nearest",
    "nelder-mead": "derivatives cost nothing here: 'BFGS', or 'L-BFGS-B' with bounds",
    "powell": "derivatives cost nothing here: 'BFGS', or 'L-BFGS-B' with bounds",
    "cobyla": "derivatives cost nothing here: 'SLSQP' takes the same constraints",
    "cobyqa": "derivatives cost nothing here: 'SLSQP' takes the same constraints",
}
COMMON = ("maxiter", "maxfun", "maxfev", "gtol", "ftol", "disp")
"""Options that every method reads."""
IDLE = ("eps", "finite_diff_rel_step", "iprint", "workers", "norm", "xtol", "xrtol")
"""Options of SciPy that have nothing to do here: derivatives are exact, and the test is that of the residual."""


def chosen(method: Any, bounded: bool, constrained: bool) -> Choice:
    """The row that SciPy's rule or the user's name picks; one sentence where there is none."""
    if isinstance(method, Solver):
        return Choice(lambda options: method, takes=CONSTRAINED)
    if method is None:
        method = "SLSQP" if constrained else "L-BFGS-B" if bounded else "BFGS"
    if not isinstance(method, str):
        raise TypeError(f"method={method!r}: give one of SciPy's names, or a method of this library, e.g. tw.LBFGS().")
    key = method.lower()
    if key in INSTEAD:
        raise ValueError(f"method={method!r} has no counterpart here: {INSTEAD[key]}.")
    if key not in TABLE:
        near = difflib.get_close_matches(key, TABLE, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(TABLE)}."
        raise ValueError(f"method={method!r} is not one of SciPy's methods: {hint}")
    choice = TABLE[key]
    for part, there, cure in (("bounds", bounded, "L-BFGS-B"), ("constraints", constrained, "SLSQP")):
        if there and part not in choice.takes:
            raise ValueError(f"method={method!r} would ignore {part}=; use method={cure!r}.")
    return choice


def check_options(choice: Choice, options: dict[str, Any]) -> None:
    """Refuses an option that would be ignored."""
    known = {*COMMON, *IDLE, *choice.options}
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it reads {', '.join(sorted(known))}."
            raise ValueError(f"options={{{name!r}: ...}} means nothing to this method: {hint}")
