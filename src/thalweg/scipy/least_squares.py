"""`scipy.optimize.least_squares` with the methods of this library."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.bounds import Bounds
from thalweg.core.compiled import program
from thalweg.core.objective import LeastSquares
from thalweg.core.problem import Problem
from thalweg.core.status import Status
from thalweg.core.stop import Evaluations, GradNorm, Steps, Stop
from thalweg.minimization import minimize as run
from thalweg.run.explain.findings import at_noise_floor
from thalweg.scipy.methods import public_method
from thalweg.scipy.minimize import RelativeValueChange, optimize_result, warn_unused_derivatives
from thalweg.scipy.translate import VectorFunction, as_arguments, as_vector, attainable_tolerance
from thalweg.solvers.descent.lbfgsb import LBFGSB

_IGNORED_ARGUMENTS = ("x_scale", "diff_step", "tr_solver", "tr_options", "jac_sparsity", "workers", "callback", "xtol")
"""Arguments of SciPy that are accepted and have no effect here."""
_AT_GTOL, _AT_FTOL, _AT_XTOL, _AT_LIMIT = 1, 2, 3, 0
_DEFAULT_TOLERANCE = 1e-8
"""SciPy's default for all three tolerances."""
_FAILED = -1
"""SciPy's status code of a run that failed."""


def least_squares(
    fun: Callable,
    x0: Any,
    jac: Any = "2-point",
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    ftol: float | None = _DEFAULT_TOLERANCE,
    xtol: float | None = _DEFAULT_TOLERANCE,
    gtol: float | None = _DEFAULT_TOLERANCE,
    x_scale: Any = 1.0,
    loss: str = "linear",
    max_nfev: int | None = None,
    verbose: int = 0,
    args: Any = (),
    **others: Any,
) -> Any:
    """`scipy.optimize.least_squares` with derivatives by JAX: minimizes half the sum of squares of `fun(x, *args)`.

    - `fun`: the residuals, written with `jax.numpy`; of complex ones the moduli count, and `fun` and `jac` of the
      result hold the real parts and then the imaginary parts. `args`: further arguments of `fun`.
    - `x0`: the start, one array. `jac`: not used, because JAX differentiates `fun`.
    - `bounds`: `(lower, upper)` or SciPy's `Bounds`.
    - `method`: `'lm'`, `'trf'` and `'dogbox'` all mean Levenberg-Marquardt, or L-BFGS-B if there are bounds.
    - `gtol`: the tolerance for the largest entry of the (projected) gradient. `ftol`: the tolerance for the relative
      change of the cost. If `x0` is float32, their defaults are what float32 can reach.
    - `xtol`: unless None, a run that stops because rounding hides any further decrease counts as a success.
    - `loss`: only `'linear'`. `max_nfev`: the limit on evaluations. `verbose`: whether to print the result.
    - `x_scale` and the rest of SciPy's arguments (`others`) have no effect: the method scales the variables itself.

    Returns SciPy's fields `x, cost, fun, jac, grad, optimality, active_mask, nfev, njev, status, message, success`.
    """
    if isinstance(jac, str):
        jac = None
    warn_unused_derivatives(jac=jac)
    for name in others:
        if name not in _IGNORED_ARGUMENTS:
            raise TypeError(
                f"least_squares({name}=...) is not supported; use tw.minimize(tw.LeastSquares(fun), x0) instead."
            )
    if loss != "linear":
        raise ValueError(f"loss={loss!r} is not supported: use 'linear', or minimize with a loss of your own.")
    if method not in ("trf", "dogbox", "lm"):
        raise ValueError(f"method={method!r}: choose one of 'trf', 'dogbox', 'lm'.")
    x = as_vector(x0)
    limits = _bounds_from_pair(bounds, x.size)
    if limits is not None and method == "lm":
        raise ValueError("method='lm' would ignore bounds=; use method='trf'.")
    problem = Problem(LeastSquares(residuals=VectorFunction(fun, as_arguments(args))), bounds=limits, allow_unused=True)
    solver = public_method("LevenbergMarquardt")() if limits is None else LBFGSB()
    stop = _least_squares_stop(gtol, ftol, max_nfev, x)
    result = run(problem, x, solver, stop=stop, on_failure="ignore")
    found, dynamic = program(_residuals_and_jacobian, problem.objective, jnp.asarray(result.x))
    residuals, jacobian = (np.asarray(part) for part in found.call(dynamic))
    status = {Status.CONVERGED: _AT_GTOL, Status.STOPPED: _AT_FTOL, Status.STEP_LIMIT: _AT_LIMIT}
    code = status.get(result.status, _FAILED)
    if result.status == Status.SEARCH_FAILED and xtol and at_noise_floor(result.value, result.optimality):
        code = _AT_XTOL
    if verbose:
        print(result)
    return optimize_result()(
        x=np.asarray(result.x),
        cost=result.value,
        fun=residuals,
        jac=jacobian,
        grad=jacobian.T @ residuals,
        optimality=result.optimality,
        active_mask=_active_mask(np.asarray(result.x), limits),
        nfev=int(result.evals.value),
        njev=int(result.evals.gradient),
        status=code,
        message=result.message,
        success=code > 0,
        thalweg=result,
    )


def _bounds_from_pair(bounds: Any, n: int) -> Bounds | None:
    """Converts `(lower, upper)` or SciPy's `Bounds`; returns None if there is no finite bound."""
    if isinstance(bounds, Bounds):
        return bounds
    pair = (bounds.lb, bounds.ub) if getattr(bounds, "lb", None) is not None else tuple(bounds)
    if len(pair) != 2:
        raise ValueError(f"bounds has {len(pair)} entries: give two, (lower, upper).")
    lower, upper = (np.broadcast_to(np.asarray(side, float), (n,)) for side in pair)
    return None if np.isneginf(lower).all() and np.isposinf(upper).all() else Bounds(lower, upper)


def _least_squares_stop(gtol: float | None, ftol: float | None, max_nfev: int | None, x: Any) -> Stop:
    """Returns a stop rule for SciPy's tolerances, each of which may be None."""
    gtol, ftol = (
        attainable_tolerance(_DEFAULT_TOLERANCE, x) if tol == _DEFAULT_TOLERANCE else tol for tol in (gtol, ftol)
    )
    limit = Steps(1000 * x.size)
    stop: Stop = limit if max_nfev is None else limit | Evaluations(int(max_nfev))
    stop = stop if not ftol else RelativeValueChange(ftol) | stop
    return stop if not gtol else GradNorm(gtol) | stop


def _residuals_and_jacobian(objective: LeastSquares, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the residuals as a vector, of complex ones first all real parts, and their Jacobian."""

    def residuals(x: jax.Array) -> jax.Array:
        return objective.residual(x).reshape(-1)

    return residuals(x), jax.jacobian(residuals)(x)


def _active_mask(x: np.ndarray, bounds: Bounds | None) -> np.ndarray:
    """Returns -1 for variables at a lower bound, 1 at an upper one, and 0 elsewhere."""
    if bounds is None:
        return np.zeros(x.size, int)
    return np.where(x <= bounds.lower, -1, np.where(x >= bounds.upper, 1, 0))
