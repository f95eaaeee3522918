"""`scipy.optimize.minimize` by the methods of this library."""

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
from thalweg.run.callbacks import Event, Every
from thalweg.run.result import Result
from thalweg.run.warn import warn
from thalweg.scipy.methods import Choice, check_options, chosen
from thalweg.scipy.translate import Called, as_args, as_bounds, as_constraints, as_start, sensible, sides
from thalweg.solvers.descent.bfgs import InverseHessian
from thalweg.solvers.descent.lbfgs import Pairs, inverse_times
from thalweg.solvers.descent.lbfgsb import Memory

CODES = {Status.CONVERGED: 0, Status.STEP_LIMIT: 1, Status.SEARCH_FAILED: 2, Status.NONFINITE: 3}
"""SciPy's status of BFGS and L-BFGS-B; what it has no number for is 4."""
OTHER, BY_CALLBACK = 4, 99
MESSAGES = {0: "Optimization terminated successfully", 1: "Maximum number of iterations has been exceeded."}


class RelativeChange(Stop):
    r"""STOPPED once \(|f_t - f_{t-1}| \le\) `tolerance` \(\max(|f_t|, |f_{t-1}|)\), after a step that changed it."""

    tolerance: float = real_field()

    def __check_init__(self):
        check_nonnegative(self, "tolerance")

    def init(self) -> State:
        """The value one step ago."""
        return real(jnp.nan)

    def __call__(self, state: State, view: View) -> tuple[State, Scalar]:
        """See the class."""
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
    """`scipy.optimize.minimize`, with derivatives by JAX: arguments, defaults and result are SciPy's.

    - `fun`: written with `jax.numpy`. `jac`, `hess`, `hessp` are not needed; with `jac=True` the value is taken from
      what `fun` returns.
    - `method`: `'BFGS'`, `'CG'`, `'Newton-CG'`, `'L-BFGS-B'`, `'trust-ncg'`, `'trust-exact'`, `'dogleg'`; `'SLSQP'`
      and `'trust-constr'` are the method of multipliers; a method of this library; None as SciPy chooses.
    - `tol`, `options["gtol"]`: largest entry of the (projected) gradient at the end; SciPy's defaults, or what
      float32 can reach. `options["ftol"]`: relative change of the value that ends the run too; by default none does.
    - `callback`: `callback(xk)`, `callback(xk, state)` or `callback(intermediate_result)`; a
      `StopIteration` ends the run.

    Returns SciPy's `OptimizeResult` where SciPy is installed, else a dict with the same attributes. `hess_inv` is the
    matrix that BFGS or L-BFGS-B has learned, dense; `status` is 0 for success, 1 at a limit, 2 where a search failed, 3
    for numbers that are not finite, 4 otherwise, 99 where the callback ended the run; `thalweg` holds the `tw.Result`.
    float64, as in SciPy, needs `jax.config.update("jax_enable_x64", True)`.
    """
    options = dict(options or {})
    derivatives(jac=jac, hess=hess, hessp=hessp)
    x, limits, parts = as_start(x0), None, as_constraints(constraints)
    limits = as_bounds(bounds, x.size)
    choice = chosen(method, limits is not None, bool(parts))
    check_options(choice, options)
    equality, inequality = sides(parts, x)
    called = Called(fun, as_args(args), jac is True)
    problem = Problem(called, bounds=limits, equality=equality, inequality=inequality, allow_unused=True)
    watch = Watch(callback)
    callbacks = () if callback is None else (Every(1, watch),)
    stop = stop_rule(choice, tol, options, x)
    result = run(problem, x, choice.make(options), stop=stop, callbacks=callbacks, on_failure="ignore")
    out = as_scipy(result, problem, watch.stopped)
    if options.get("disp"):
        print(result)
    return out


def derivatives(**given: Any) -> None:
    """Says once what becomes of derivatives that the user wrote."""
    names = [name for name, value in given.items() if value is not None and value is not False]
    if names:
        them = " and ".join(f"{name}=" for name in names)
        warn(f"{them} is not used: JAX differentiates fun; leave it out.", UserWarning)


def stop_rule(choice: Choice, tol: float | None, options: dict[str, Any], x: Any) -> Stop:
    """SciPy's limits, and its tolerance of the gradient; one of the value only where the user asks for it.

    A step can be short far from the minimum: by SciPy's default for L-BFGS-B, 2.2e-9, runs would end there.
    """
    gtol = options.get("gtol", tol)
    gtol = sensible(choice.gtol, x) if gtol is None else gtol
    stop: Stop = GradNorm(gtol) | Steps(int(options.get("maxiter") or choice.maxiter(x.size)))
    if options.get("ftol"):
        stop = stop | RelativeChange(options["ftol"])
    count = options.get("maxfun", options.get("maxfev"))
    return stop if count is None else stop | Evaluations(int(count))


class Watch:
    """The user's callback in one of SciPy's three forms; it remembers whether it ended the run."""

    def __init__(self, callback: Callable | None):
        self.callback, self.stopped = callback, False
        self.form = () if callback is None else parameters(callback)

    def __call__(self, event: Event) -> str | None:
        """Calls it with the point that was just reached."""
        assert self.callback is not None
        x = np.asarray(event.x)
        state = optimize_result()(x=x, fun=last(event.trace.value), nit=event.step)
        try:
            if self.form == ("intermediate_result",):
                answer = self.callback(intermediate_result=state)
            else:
                answer = self.callback(*((x, state) if len(self.form) == 2 else (x,)))
        except StopIteration:
            answer = True
        self.stopped = answer is True
        return "stop" if self.stopped else None


def last(column: Any) -> float:
    """The newest entry."""
    return float(column[-1]) if len(column) else float("nan")


def parameters(callback: Callable) -> tuple[str, ...]:
    """The names of a function's parameters; none where they cannot be read."""
    try:
        return tuple(inspect.signature(callback).parameters)
    except (TypeError, ValueError):
        return ()


def gradient(objective: Objective, x: Params) -> Params:
    """At one point: `OptimizeResult.jac`."""
    return objective.evaluate(x).grad


def as_scipy(result: Result, problem: Problem, by_callback: bool) -> Any:
    """The result in SciPy's names."""
    found, dynamic = program(gradient, problem.objective, jnp.asarray(result.x))
    code = BY_CALLBACK if by_callback else CODES.get(result.status, 0 if result.ok else OTHER)
    message = MESSAGES.get(code, result.message) if code != 0 else f"{MESSAGES[0]}: {result.message}"
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
    learned = inverse_hessian(result.state.state)
    if learned is not None:
        fields["hess_inv"] = learned
    return optimize_result()(fields)


def inverse_hessian(state: Any) -> np.ndarray | None:
    """The inverse Hessian that a quasi-Newton method has learned; None for others."""
    memory = getattr(state, "direction", None)
    if isinstance(memory, InverseHessian):
        return np.asarray(memory.h)
    if isinstance(memory, Memory):
        found, dynamic = program(as_matrix, memory.pairs)
        return np.asarray(found.call(dynamic))
    return None


def as_matrix(pairs: Pairs) -> Any:
    """The matrix of L-BFGS, column by column; the identity before the first pair."""
    n = pairs.t.shape[1]
    known = pairs._replace(gamma=jnp.where(pairs.gamma > 0, pairs.gamma, 1))
    return jax.vmap(lambda unit: inverse_times(known, unit))(jnp.eye(n, dtype=pairs.t.dtype))


class LookAlike(dict):
    """A dict whose entries are attributes, where SciPy is not installed."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def __dir__(self) -> list[str]:
        return list(self)


def optimize_result() -> type:
    """SciPy's class, or the look-alike."""
    try:
        from scipy.optimize import OptimizeResult
    except ImportError:
        return LookAlike
    return OptimizeResult
