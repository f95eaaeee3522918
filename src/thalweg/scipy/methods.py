"""SciPy's names of methods, and the method of this library for each."""

import difflib
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from thalweg.core.solver import Solver
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from thalweg.solvers.descent.lbfgsb import LBFGSB


class ScipyMethod(NamedTuple):
    """The method of this library for one of SciPy's methods.

    - `make`: makes the solver from SciPy's options. `options`: the options that it reads besides the common ones.
    - `gtol`: SciPy's default tolerance. `takes`: which of `bounds` and `constraints` it accepts.
    - `maxiter`: SciPy's default limit on steps for `n` variables.
    """

    make: Callable[[dict[str, Any]], Solver]
    options: tuple[str, ...] = ()
    gtol: float = 1e-5
    takes: tuple[str, ...] = ()
    maxiter: Callable[[int], int] = lambda n: 200 * n


def public_method(name: str) -> Callable[..., Any]:
    """Returns a method by its name in `thalweg`."""
    make = getattr(importlib.import_module("thalweg"), name, None)
    if make is None:
        raise NotImplementedError(f"tw.{name} is not part of this version; `thalweg methods` lists what is.")
    return make


def _strong_wolfe_search(options: dict[str, Any]) -> StrongWolfe:
    """Returns the strong Wolfe line search for SciPy's options."""
    names = {"c1": "slope", "c2": "curvature", "maxls": "max_trials"}
    return StrongWolfe(**{ours: options[theirs] for theirs, ours in names.items() if theirs in options})


def _trust_region(name: str) -> Callable[[dict[str, Any]], Solver]:
    """Returns a function that makes a trust-region method from SciPy's options."""
    names = {"initial_trust_radius": "radius", "max_trust_radius": "max_radius", "eta": "accept"}
    return lambda options: public_method(name)(**{names[key]: value for key, value in options.items() if key in names})


_TRUST_REGION_OPTIONS = ("initial_trust_radius", "max_trust_radius", "eta")
_BOUNDS_AND_CONSTRAINTS = ("bounds", "constraints")


def _method_of_multipliers(options: dict[str, Any]) -> Solver:
    """Returns the augmented Lagrangian method, whose inner method handles bounds."""
    return AugmentedLagrangian(LBFGSB())


SCIPY_METHODS: dict[str, ScipyMethod] = {
    "bfgs": ScipyMethod(lambda options: public_method("BFGS")(search=_strong_wolfe_search(options)), ("c1", "c2")),
    "cg": ScipyMethod(lambda options: public_method("ConjugateGradient")(), ()),
    "newton-cg": ScipyMethod(
        lambda options: public_method("NewtonCG")(search=_strong_wolfe_search(options)), ("c1", "c2")
    ),
    "l-bfgs-b": ScipyMethod(
        lambda options: LBFGSB(options.get("maxcor", 10), _strong_wolfe_search(options)),
        ("maxcor", "maxls"),
        takes=("bounds",),
        maxiter=lambda n: 15_000,
    ),
    "trust-ncg": ScipyMethod(_trust_region("TrustRegion"), _TRUST_REGION_OPTIONS, 1e-4),
    "trust-exact": ScipyMethod(_trust_region("TrustExact"), _TRUST_REGION_OPTIONS, 1e-4),
    "dogleg": ScipyMethod(_trust_region("TrustDogleg"), _TRUST_REGION_OPTIONS, 1e-4),
    "slsqp": ScipyMethod(_method_of_multipliers, gtol=1e-6, takes=_BOUNDS_AND_CONSTRAINTS, maxiter=lambda n: 1000),
    "trust-constr": ScipyMethod(
        _method_of_multipliers, gtol=1e-8, takes=_BOUNDS_AND_CONSTRAINTS, maxiter=lambda n: 1000
    ),
}
"""SciPy's name in lower case -> the method of this library."""

_ALTERNATIVES = {
    "tnc": "use 'L-BFGS-B', which takes the same bounds",
    "trust-krylov": "use 'trust-ncg', which is the most similar",
    "nelder-mead": "JAX provides the derivatives, so use 'BFGS', or 'L-BFGS-B' with bounds",
    "powell": "JAX provides the derivatives, so use 'BFGS', or 'L-BFGS-B' with bounds",
    "cobyla": "JAX provides the derivatives, so use 'SLSQP', which takes the same constraints",
    "cobyqa": "JAX provides the derivatives, so use 'SLSQP', which takes the same constraints",
}
_COMMON_OPTIONS = ("maxiter", "maxfun", "maxfev", "gtol", "ftol", "disp")
"""SciPy's options that every method reads."""
_IGNORED_OPTIONS = ("eps", "finite_diff_rel_step", "iprint", "workers", "norm", "xtol", "xrtol")
"""SciPy's options that are accepted and have no effect, because derivatives are exact and the residual is tested."""


def find_scipy_method(method: Any, bounded: bool, constrained: bool) -> ScipyMethod:
    """Returns the method for a name, or for None the one that SciPy would choose; raises an error for others."""
    if isinstance(method, Solver):
        return ScipyMethod(lambda options: method, takes=_BOUNDS_AND_CONSTRAINTS)
    if method is None:
        method = "SLSQP" if constrained else "L-BFGS-B" if bounded else "BFGS"
    if not isinstance(method, str):
        raise TypeError(f"method={method!r}: give one of SciPy's names, or a method such as tw.LBFGS().")
    key = method.lower()
    if key in _ALTERNATIVES:
        raise ValueError(f"method={method!r} is not available: {_ALTERNATIVES[key]}.")
    if key not in SCIPY_METHODS:
        near = difflib.get_close_matches(key, SCIPY_METHODS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(SCIPY_METHODS)}."
        raise ValueError(f"method={method!r} is not one of SciPy's methods: {hint}")
    choice = SCIPY_METHODS[key]
    for part, there, cure in (("bounds", bounded, "L-BFGS-B"), ("constraints", constrained, "SLSQP")):
        if there and part not in choice.takes:
            raise ValueError(f"method={method!r} would ignore {part}=; use method={cure!r}.")
    return choice


def refuse_unknown_options(choice: ScipyMethod, options: dict[str, Any]) -> None:
    """Refuses an option that would be ignored."""
    known = {*_COMMON_OPTIONS, *_IGNORED_OPTIONS, *choice.options}
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it reads {', '.join(sorted(known))}."
            raise ValueError(f"options={{{name!r}: ...}} is not an option of this method: {hint}")
