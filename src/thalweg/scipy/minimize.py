"""`scipy.optimize.minimize` with the methods of this library."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.compiled import program
from thalweg.core.fields import check_nonnegative, real_field
from thalweg.core.objective import Objective
from thalweg.core.problem import Problem
from thalweg.core.status import Status
from thalweg.core.stop import Evaluations, GradNorm, Steps, Stop, View
from thalweg.core.types import Params, Scalar, State, real
from thalweg.minimization import minimize as run
from thalweg.run.observe.callbacks import Event, Every
from thalweg.run.result import Result
from thalweg.run.warn import warn
from thalweg.scipy.methods import ScipyMethod, find_scipy_method, refuse_unknown_options
from thalweg.scipy.translate import (
    ScipyObjective,
    as_arguments,
    as_bounds,
    as_constraints,
    as_vector,
    attainable_tolerance,
    equality_and_inequality,
)
from thalweg.solvers.descent.bfgs import InverseHessian
from thalweg.solvers.descent.lbfgs import SecantPairs, inverse_times
from thalweg.solvers.descent.lbfgsb import Memory

_STATUS_CODES = {Status.CONVERGED: 0, Status.STEP_LIMIT: 1, Status.SEARCH_FAILED: 2, Status.NONFINITE: 3}
"""Our status -> SciPy's status code; statuses that SciPy does not have become `_OTHER_CODE`."""
_OTHER_CODE, _CALLBACK_CODE = 4, 99
_SCIPY_MESSAGES = {0: "Optimization terminated successfully", 1: "Maximum number of iterations has been exceeded."}


class RelativeValueChange(Stop):
    r"""Stops after a step that changed the value by at most a relative tolerance, as SciPy's `ftol`.

    \(0 < |f_t - f_{t-1}| \le\) `tolerance` \(\cdot \max(|f_t|, |f_{t-1}|)\); the status is STOPPED.

    - `tolerance`: >= 0.
    """

    tolerance: float = real_field()

    def __check_init__(self):
        check_nonnegative(self, "tolerance")

    def init(self) -> State:
        """Returns the initial state: no value yet."""
        return real(jnp.nan)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """Returns the value as the new state, and the status."""
        value = real(view.info.value)
        change = jnp.abs(value - state)
        small = change <= self.tolerance * jnp.maximum(jnp.abs(value), jnp.abs(state))
        fired = jnp.where(small & (change > 0), Status.STOPPED.value, Status.RUNNING.value)
        return value, fired


def minimize(
    fun: Callable,
    x0: Any,
    args: Any = (),
    method: Any = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """`scipy.optimize.minimize` with derivatives by JAX: arguments, defaults and result are SciPy's.

    - `fun`: the objective, written with `jax.numpy`. `args`: further arguments of `fun`.
    - `x0`: the start, one array.
    - `jac`, `hess`, `hessp`: not used, because JAX differentiates `fun`; with `jac=True`, `fun` returns the value and a
      gradient, of which only the value is used.
    - `method`: `'BFGS'`, `'CG'`, `'Newton-CG'`, `'L-BFGS-B'`, `'trust-ncg'`, `'trust-exact'` or `'dogleg'`; `'SLSQP'`
      and `'trust-constr'` mean the augmented Lagrangian method; a method of this library; None to choose as SciPy does.
    - `bounds`, `constraints`: as in SciPy.
    - `tol`, `options["gtol"]`: the tolerance for the largest entry of the (projected) gradient; by default SciPy's, or
      what float32 can reach. `options["ftol"]`: a tolerance for the relative change of the value; by default none.
    - `callback`: `callback(xk)`, `callback(xk, state)` or `callback(intermediate_result)`, called after every step; a
      `StopIteration` ends the run.
    - `options`: SciPy's options, such as `{"maxiter": 100}`.

    Returns SciPy's `OptimizeResult` if SciPy is installed, else a dict with the same attributes. `hess_inv` is the
    dense inverse Hessian of BFGS or L-BFGS-B. `status` is 0 for success, 1 at a limit, 2 after a failed line search, 3
    for NaN or infinity, 99 if the callback ended the run, and 4 otherwise. `thalweg` is the `tw.Result`. Call
    `jax.config.update("jax_enable_x64", True)` first to compute in float64, as SciPy does.
    """
    options = dict(options or {})
    warn_unused_derivatives(jac=jac, hess=hess, hessp=hessp)
    x, limits, parts = as_vector(x0), None, as_constraints(constraints)
    limits = as_bounds(bounds, x.size)
    choice = find_scipy_method(method, limits is not None, bool(parts))
    refuse_unknown_options(choice, options)
    equality, inequality = equality_and_inequality(parts, x)
    called = ScipyObjective(fun, as_arguments(args), jac is True)
    problem = Problem(called, bounds=limits, equality=equality, inequality=inequality, allow_unused=True)
    watch = _ScipyCallback(callback)
    callbacks = () if callback is None else (Every(1, watch),)
    stop = _minimize_stop(choice, tol, options, x)
    result = run(problem, x, choice.make(options), stop=stop, callbacks=callbacks, on_failure="ignore")
    out = _as_optimize_result(result, problem, watch.stopped)
    if options.get("disp"):
        print(result)
    return out


def warn_unused_derivatives(**given: Any) -> None:
    """Warns that the user's derivatives are not used."""
    names = [name for name, value in given.items() if value is not None and value is not False]
    if names:
        them = " and ".join(f"{name}=" for name in names)
        warn(f"{them} is not used: JAX differentiates fun; leave it out.", UserWarning)


def _minimize_stop(choice: ScipyMethod, tol: float | None, options: dict[str, Any], x: Any) -> Stop:
    """Returns a stop rule for SciPy's limits and tolerances; `ftol` is used only if the user gives it.

    A step can be short far from the minimum, and with SciPy's default for L-BFGS-B, 2.2e-9, a run would end there.
    """
    gtol = options.get("gtol", tol)
    gtol = attainable_tolerance(choice.gtol, x) if gtol is None else gtol
    stop: Stop = GradNorm(gtol) | Steps(int(options.get("maxiter") or choice.maxiter(x.size)))
    if options.get("ftol"):
        stop = stop | RelativeValueChange(options["ftol"])
    count = options.get("maxfun", options.get("maxfev"))
    return stop if count is None else stop | Evaluations(int(count))


class _ScipyCallback:
    """The user's callback in one of SciPy's three forms; `stopped` tells whether it has ended the run."""

    def __init__(self, callback: Callable | None):
        self.callback, self.stopped = callback, False
        self.form = () if callback is None else _parameter_names(callback)

    def __call__(self, event: Event) -> str | None:
        """Calls the user's callback with the point that was just reached."""
        assert self.callback is not None
        x = np.asarray(event.x)
        state = optimize_result()(x=x, fun=_last_value(event.trace.value), nit=event.step)
        try:
            if self.form == ("intermediate_result",):
                answer = self.callback(intermediate_result=state)
            else:
                answer = self.callback(*((x, state) if len(self.form) == 2 else (x,)))
        except StopIteration:
            answer = True
        self.stopped = answer is True
        return "stop" if self.stopped else None


def _last_value(column: Any) -> float:
    """Returns the last entry of a column as a float, NaN if it is empty."""
    return float(column[-1]) if len(column) else float("nan")


def _parameter_names(callback: Callable) -> tuple[str, ...]:
    """Returns the names of a function's parameters, or none if they cannot be read."""
    try:
        return tuple(inspect.signature(callback).parameters)
    except (TypeError, ValueError):
        return ()


def _gradient_at(objective: Objective, x: Params) -> Params:
    """Returns the gradient at a point, for `OptimizeResult.jac`."""
    return objective.evaluate(x).grad


def _as_optimize_result(result: Result, problem: Problem, by_callback: bool) -> Any:
    """Returns the result under SciPy's names."""
    found, dynamic = program(_gradient_at, problem.objective, jnp.asarray(result.x))
    code = _CALLBACK_CODE if by_callback else _STATUS_CODES.get(result.status, 0 if result.ok else _OTHER_CODE)
    message = _SCIPY_MESSAGES.get(code, result.message) if code != 0 else f"{_SCIPY_MESSAGES[0]}: {result.message}"
    fields = {
        "x": np.asarray(result.x),
        "fun": result.value,
        "jac": np.asarray(found.call(dynamic)),
        "nit": result.steps,
        "nfev": int(result.evals.value),
        "njev": int(result.evals.gradient),
        "nhev": int(result.evals.hvp),
        "success": code == 0,
        "status": code,
        "message": "`callback` raised `StopIteration`." if by_callback else message,
        "thalweg": result,
    }
    if problem.constrained:
        fields["maxcv"] = result.infeasibility
    learned = _learned_inverse_hessian(result.state.state)
    if learned is not None:
        fields["hess_inv"] = learned
    return optimize_result()(fields)


def _learned_inverse_hessian(state: Any) -> np.ndarray | None:
    """Returns the inverse Hessian that a quasi-Newton method has learned; None for other methods."""
    memory = getattr(state, "direction", None)
    if isinstance(memory, InverseHessian):
        return np.asarray(memory.h)
    if isinstance(memory, Memory):
        found, dynamic = program(_lbfgs_matrix, memory.pairs)
        return np.asarray(found.call(dynamic))
    return None


def _lbfgs_matrix(pairs: SecantPairs) -> Any:
    """Returns the inverse Hessian of L-BFGS as a dense matrix; the identity before the first pair."""
    n = pairs.t.shape[1]
    known = pairs._replace(gamma=jnp.where(pairs.gamma > 0, pairs.gamma, 1))
    return jax.vmap(lambda unit: inverse_times(known, unit))(jnp.eye(n, dtype=pairs.t.dtype))


class AttributeDict(dict):
    """A dict whose entries are attributes: the result if SciPy is not installed."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def __dir__(self) -> list[str]:
        return list(self)


def optimize_result() -> type:
    """Returns SciPy's `OptimizeResult`, or `AttributeDict` if SciPy is not installed."""
    try:
        from scipy.optimize import OptimizeResult
    except ImportError:
        return AttributeDict
    return OptimizeResult
