"""`scipy.optimize.least_squares` by the methods of this library."""

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
from thalweg.run.messages import at_noise_floor
from thalweg.scipy.methods import named
from thalweg.scipy.minimize import RelativeChange, derivatives, optimize_result
from thalweg.scipy.translate import Rows, as_args, as_start, sensible
from thalweg.solvers.descent.lbfgsb import LBFGSB

IDLE = ("x_scale", "diff_step", "tr_solver", "tr_options", "jac_sparsity", "workers", "callback", "xtol")
"""Arguments of SciPy that mean nothing here."""
AT_GTOL, AT_FTOL, AT_XTOL, AT_LIMIT = 1, 2, 3, 0
TOLERANCE = 1e-8
"""SciPy's default of all three tolerances."""
FAILED = -1
"""SciPy's codes of the end of a run."""


def least_squares(
    fun: Callable,
    x0: Any,
    jac: Any = "2-point",
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    ftol: float | None = TOLERANCE,
    xtol: float | None = TOLERANCE,
    gtol: float | None = TOLERANCE,
    x_scale: Any = 1.0,
    loss: str = "linear",
    max_nfev: int | None = None,
    verbose: int = 0,
    args: Any = (),
    **others: Any,
) -> Any:
    """`scipy.optimize.least_squares`, with derivatives by JAX: half the sum of the squares of `fun(x, *args)`.

    - `method`: `'lm'`, `'trf'` and `'dogbox'` are Levenberg-Marquardt; within bounds L-BFGS-B.
    - `gtol`: largest entry of the (projected) gradient at the end; `ftol`: relative change of the cost.
      Where `x0` is float32, their default is what it can reach.
    - `xtol`: None, or any number: the run ends well where no step lowers the cost beyond its rounding.
    - `loss`: `'linear'` only. `x_scale` and arguments about finite differences do nothing: columns are scaled
      by the method itself.

    Returns SciPy's fields `x, cost, fun, jac, grad, optimality, active_mask, nfev, njev, status, message, success`.
    """
    if isinstance(jac, str):
        jac = None
    derivatives(jac=jac)
    for name in others:
        if name not in IDLE:
            raise TypeError(
                f"least_squares({name}=...) is not known here; write tw.minimize(tw.LeastSquares(fun), x0)."
            )
    if loss != "linear":
        raise ValueError(f"loss={loss!r}: only 'linear' is known here; write the loss out and use minimize.")
    if method not in ("trf", "dogbox", "lm"):
        raise ValueError(f"method={method!r}: choose one of 'trf', 'dogbox', 'lm'.")
    x = as_start(x0)
    limits = box(bounds, x.size)
    if limits is not None and method == "lm":
        raise ValueError("method='lm' would ignore bounds=; use method='trf'.")
    problem = Problem(LeastSquares(residuals=Rows(fun, as_args(args))), bounds=limits, allow_unused=True)
    solver = named("LevenbergMarquardt")() if limits is None else LBFGSB()
    stop = stop_rule(gtol, ftol, max_nfev, x)
    result = run(problem, x, solver, stop=stop, on_failure="ignore")
    found, dynamic = program(measured, problem.objective, jnp.asarray(result.x))
    residuals, jacobian = (np.asarray(part) for part in found.call(dynamic))
    status = {Status.CONVERGED: AT_GTOL, Status.STOPPED: AT_FTOL, Status.STEP_LIMIT: AT_LIMIT}
    code = status.get(result.status, FAILED)
    if result.status == Status.SEARCH_FAILED and xtol and at_noise_floor(result.value, result.optimality):
        code = AT_XTOL
    if verbose:
        print(result)
    return optimize_result()(
        x=np.asarray(result.x),
        cost=result.value,
        fun=residuals,
        jac=jacobian,
        grad=jacobian.T @ residuals,
        optimality=result.optimality,
        active_mask=active(np.asarray(result.x), limits),
        nfev=int(result.evals.value),
        njev=int(result.evals.gradient),
        status=code,
        message=result.message,
        success=code > 0,
        thalweg=result,
    )


def box(bounds: Any, n: int) -> Bounds | None:
    """Of `(lower, upper)` or SciPy's `Bounds`; None where both sides are open."""
    if isinstance(bounds, Bounds):
        return bounds
    pair = (bounds.lb, bounds.ub) if getattr(bounds, "lb", None) is not None else tuple(bounds)
    if len(pair) != 2:
        raise ValueError(f"bounds has {len(pair)} entries: least_squares takes two, (lower, upper).")
    lower, upper = (np.broadcast_to(np.asarray(side, float), (n,)) for side in pair)
    return None if np.isneginf(lower).all() and np.isposinf(upper).all() else Bounds(lower, upper)


def stop_rule(gtol: float | None, ftol: float | None, max_nfev: int | None, x: Any) -> Stop:
    """SciPy's tolerances; None switches one off."""
    gtol, ftol = (sensible(TOLERANCE, x) if tol == TOLERANCE else tol for tol in (gtol, ftol))
    limit = Steps(1000 * x.size)
    stop: Stop = limit if max_nfev is None else limit | Evaluations(int(max_nfev))
    stop = stop if not ftol else RelativeChange(ftol) | stop
    return stop if not gtol else GradNorm(gtol) | stop


def measured(objective: LeastSquares, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The residuals and their Jacobian."""
    return objective.residual(x), jax.jacobian(objective.residual)(x)


def active(x: np.ndarray, bounds: Bounds | None) -> np.ndarray:
    """-1 at a lower bound, 1 at an upper one, 0 elsewhere."""
    if bounds is None:
        return np.zeros(x.size, int)
    return np.where(x <= bounds.lower, -1, np.where(x >= bounds.upper, 1, 0))
