"""The verb: resolves what the user wrote, refuses what cannot work, and hands the rest to the driver."""

import difflib
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from thalweg.checks import (
    MEASURABLE,
    check_fit,
    check_measured,
    check_options,
    check_stop,
    check_together,
    method_name,
)
from thalweg.core.average import Average
from thalweg.core.batches import Batches
from thalweg.core.compiled import Recent, is_hashable, program
from thalweg.core.duration import length, resolve
from thalweg.core.fields import is_tracer
from thalweg.core.first_order import as_solver
from thalweg.core.iterate import Carry
from thalweg.core.objective import Latent
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.stop import Epochs, GradNorm, Steps, Stop
from thalweg.core.types import Params, widest
from thalweg.core.variables import check_start, is_inexact, short, split
from thalweg.registry import METHODS
from thalweg.run.callbacks import Callback
from thalweg.run.cautions import precision, warn_of_tolerance, within
from thalweg.run.inspect import UNDER_TRANSFORM
from thalweg.run.launch import Choice, Options, Plan, epoch_length, launch, make_plan
from thalweg.run.result import MinimizeError, Result
from thalweg.run.warn import warn
from thalweg.suggestion import choose

DEFAULT_STEPS = 10_000
"""The limit beside the gradient test; to reach it is a failure."""
WALK = Steps(1000)
"""How long a method runs that measures no residual; to reach it is what was asked for."""

_problems = Recent()
PLANS = 16
"""Plans kept with a problem."""


def minimize(
    problem: Problem | Callable,
    x0: Params = None,
    method: Any = None,
    *,
    batch_size: int | None = None,
    last: str = "keep",
    shuffle: bool = True,
    stop: Stop | None = None,
    keep: str = "last",
    average: Average | None = None,
    restarts: int = 1,
    spread: float = 1.0,
    seed: int = 0,
    model_state: Any = None,
    state: Carry | None = None,
    validate_every: int | Epochs | Steps | None = None,
    callbacks: Sequence[Callback] = (),
    chunk: int | None = None,
    dispatch: str | None = None,
    on_nonfinite: str = "stop",
    on_failure: str = "warn",
) -> Result:
    """Minimise a problem from `x0`.

    - `problem`: a `Problem`, or a plain function of `x`.
    - `x0`: any tree; its floating-point arrays are the variables (of a method without gradients, integers and booleans
      too), every other leaf is held fixed. Outside the bounds it is moved to the nearest point within, with a
      warning. None for a latent-variable model, which draws its own start.
    - `method`: a rule, a solver, an Optax transformation; None chooses one and says why.
    - `batch_size`: examples a step; None for all of them, or for a stream, which brings its own batches. An epoch
      sees every example once; `last`: `"keep"` or `"drop"` its short last batch; `shuffle`: a new order each epoch.
    - `stop`: rules joined by `|` and `&`; default `GradNorm(sqrt(eps)) | Steps(10_000)` with the eps of the
      variables' dtype, `Steps(1000)` for a method without a residual. Required on batches, e.g.
      `tw.Epochs(20) | tw.Patience(5)`.
    - `keep`: `"last"`, or `"best"` for the lowest validation value, or the lowest value without validation.
    - `average`: `tw.EMA(decay)`, `tw.PolyakRuppert(start)` or `tw.SWA(start, every)`, an average of the iterates,
      returned as `result.average`; the run is the same.
    - `restarts`: this many starts in parallel; the first is `x0`, the others are normal around it with standard
      deviation `spread * max(1, |x0|)`, within the bounds. Integers start alike and part by their random keys; a
      latent-variable model draws every start. The best is returned, with every lane's value.
    - `seed`: of all randomness. `model_state`: start of a stateful loss's running statistics.
    - `state`: `result.state` of an earlier run, to continue it. Step limits count from that run's beginning; the
      best point is that of this run.
    - `validate_every`: steps, or `tw.Epochs(n)`, between validations; by default an epoch on batches, 10 steps on
      whole data, 100 on an iterator. `callbacks`: see `Event` and `Every`.
    - `chunk`: steps between two looks of the host, chosen by time if None; never changes a number.
    - `dispatch`: `"chunk"` compiles many steps into one program, `"single"` calls each from the host; by default
      the latter only where a convolution meets the CPU backend, which runs it ten times slower inside a loop.
    - `on_nonfinite`: what to do when a step's numbers are not finite: `"stop"`; `"skip"` drops the step and goes on
      with the next batch; `"rollback"` goes on from the best validated point (without validation, from the start of
      the epoch). A dropped step counts as a step. The eleventh lost step in a row, or the fourth return to one point,
      ends the run.
    - `on_failure`: `"warn"`, `"raise"` (a `MinimizeError` with `.result`) or `"ignore"`.

    Raises before anything is compiled where the input cannot be right. A failure of the numbers is a status. An
    exception from a callback, a stream or a second Ctrl-C carries what was reached as its `result`.
    """
    batches = None if batch_size is None else Batches(checked_size(batch_size), last, shuffle)
    watching = (validate_every, tuple(callbacks), chunk, dispatch, on_nonfinite, average)
    options = Options(batches, keep, restarts, spread, seed, state, *watching)
    check_options(options, on_failure)
    problem = problem if isinstance(problem, Problem) else of_function(problem)
    x0 = own_start(problem, method, batches, seed) if x0 is None else x0
    x, frozen = variables(x0, method)
    plan = planned(Request(problem, method, stop, model_state, options), x, frozen)
    x = within(problem, x)
    return report(launch(plan, x, options._replace(average=plan.task.average)), on_failure)


class Request(NamedTuple):
    """What the user asked for, but for the start."""

    problem: Problem
    method: Any
    stop: Stop | None
    model_state: Any
    options: Options


def of_function(fun: Any) -> Problem:
    """The problem of a plain function, the same one at every call."""
    try:
        return _problems.get(fun, lambda: Problem(fun))
    except TypeError:  # it cannot be hashed, or is no function
        return Problem(fun)


def planned(request: Request, x: Params, frozen: Any) -> Plan:
    """The plan of a request; the same one where everything but the numbers of `x` is the same."""
    _, method, stop, model_state, options = request
    alike = options._replace(seed=0, state=options.state is not None, callbacks=(bool(options.callbacks),))
    shapes = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(x))
    parts = tuple(map(statics, (method, stop, frozen)))
    key = (parts, jax.tree.structure(x), shapes, alike, widest())
    if model_state is None and is_hashable(key):
        return plans_of(request.problem).get(key, lambda: resolved(request, x, frozen))
    return resolved(request, x, frozen)  # an array in the method, or beside the variables: nothing to compare by


def plans_of(problem: Problem) -> Recent:
    """The plans made for a problem, kept with it: a cache of ours would keep its data alive."""
    if "_plans" not in vars(problem):
        object.__setattr__(problem, "_plans", Recent(PLANS))
    return vars(problem)["_plans"]


def statics(tree: Any) -> Any:
    """A tree as a key: equal where structure and leaves are, types included."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((type(leaf), leaf) for leaf in leaves)


def resolved(request: Request, x: Params, frozen: Any) -> Plan:
    """The method, the stop rule and the problem as they will run; one sentence where they do not go together."""
    problem, method, stop, model_state, options = request
    if any(is_tracer(leaf) for leaf in jax.tree.leaves(problem)):
        raise TypeError(UNDER_TRANSFORM)
    batches = options.batches
    problem = problem if batches is None else in_batches(problem, batches)
    offers = problem.offers(x)
    solver, reason = resolve_method(offers, x, method)
    check_fit(problem, offers, solver, batches)
    check_together(problem, x, offers, options)
    problem = with_model_state(problem, model_state)
    rule = default_rule(offers, x, solver) if stop is None else stop
    check_stop(problem, offers, rule)
    check_measured(rule, solver, offers)
    warn_of_tolerance(rule, x)
    per_epoch = epoch_length(problem, solver, batches).steps
    solver = resolve(solver, per_epoch, length(rule, per_epoch))
    options = options._replace(average=resolve(options.average, per_epoch, None))
    choice = Choice(lambda: method_name(solver), reason, default_limit=stop is None and rule is not WALK)
    return make_plan(problem, solver, rule, frozen, options, choice)


def checked_size(batch_size: Any) -> int:
    """A whole number >= 1."""
    if isinstance(batch_size, (bool, float)) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ValueError(f"batch_size={batch_size!r}: give a whole number >= 1, or None for whole data.")
    return int(batch_size)


def in_batches(problem: Problem, batches: Batches) -> Problem:
    """The problem of which every step sees a batch; one sentence where it has none to give."""
    size = batches.size
    if problem.stream is not None:
        raise ValueError(f"batch_size={size}: {problem.stream!r} brings its own batches; leave batch_size=None.")
    examples = problem.objective.examples
    if not examples:
        raise ValueError(f"batch_size={size} needs data: tw.Problem(loss, data=(X, y)), with loss(params, batch).")
    if Oracle.FINITE_SUM not in problem.objective.offers:
        kind = type(problem.objective).__name__
        raise ValueError(f"batch_size={size}: the value of {kind} is not a mean over examples; leave batch_size=None.")
    if size > examples:
        raise ValueError(f"batch_size={size} is more than the {examples} examples; leave batch_size=None for all.")
    return problem.in_batches()


def own_start(problem: Problem, method: Any, batches: Batches | None, seed: int) -> Params:
    """The start that a latent-variable model draws."""
    if not isinstance(problem.objective, Latent):
        raise TypeError("minimize(problem, x0): x0 is missing; only a latent-variable model draws its own start.")
    problem = problem if batches is None else in_batches(problem, batches)
    offers = problem.offers(())
    check_fit(problem, offers, resolve_method(offers, (), method)[0], batches)
    found, dynamic = program(drawn, problem.objective, np.uint32(seed))
    return found.call(dynamic)


def variables(x0: Any, method: Any) -> tuple[Params, Any]:
    """The variables and what is held fixed."""
    leaves = jax.tree.leaves(x0)
    if any(is_tracer(leaf) for leaf in leaves):
        raise TypeError(UNDER_TRANSFORM)
    floating = bool(leaves) and all(is_inexact(leaf) for leaf in leaves)
    integers = not floating and isinstance(method, Solver) and Oracle.GRADIENT not in method.needs
    return split(check_start(x0, integers), integers)


def drawn(objective: Latent, seed: Any) -> Params:
    """A random start: one program, because the many small operations of a model's `init` compile one by one."""
    return objective.draw(jax.random.key(seed))


def resolve_method(offers: frozenset[Oracle], x: Params, method: Any) -> tuple[Solver, str | None]:
    """The solver that the user meant, and the reason where the choice was ours."""
    if method is None:
        return choose(offers, sum(leaf.size for leaf in jax.tree.leaves(x)))
    method = as_solver(method)
    if isinstance(method, Solver):
        return method, None
    if isinstance(method, str):
        near = difflib.get_close_matches(method.lower(), METHODS, n=1)
        name = METHODS[near[0]].make.__name__ if near else "LBFGS"
        raise TypeError(f"method={method!r} is a name: pass the method itself, e.g. tw.{name}().")
    if isinstance(method, type) or callable(method):
        raise TypeError(f"method={short(method)} is not configured: call it, e.g. tw.{method.__name__}(...).")
    raise TypeError(f"method={method!r} is not a rule, a solver or an Optax transformation.")


def with_model_state(problem: Problem, model_state: Any) -> Problem:
    """The problem with the running statistics that a stateful loss starts from."""
    stateful = Oracle.MODEL_STATE in problem.objective.offers
    if stateful != (model_state is not None):
        cure = "pass model_state=" if stateful else "build the problem with stateful=True"
        raise ValueError(f"minimize(model_state=...): a stateful loss and its first state go together: {cure}.")
    if not stateful:
        return problem
    return problem.on(problem.objective.data, None, model_state)


def default_rule(offers: frozenset[Oracle], x: Params, solver: Solver) -> Stop:
    """Converged to the square root of the precision of the variables (of the narrowest), or 10 000 steps.

    A method that measures no residual makes 1000 steps.
    """
    if Oracle.WHOLE not in offers:
        raise ValueError(
            "stop=None: where the function changes from step to step there is no gradient test; say how long, e.g. "
            f"stop={'tw.Epochs(10)' if Oracle.BATCHES in offers else 'tw.Steps(1000)'}."
        )
    if not solver.needs & MEASURABLE:
        return WALK
    return default_stop(frozenset(leaf.dtype for leaf in jax.tree.leaves(x)), widest())


@functools.cache
def default_stop(dtypes: frozenset[Any], widest: Any) -> Stop:
    """The default rule for variables of these dtypes, where `widest` is the widest float in use."""
    return GradNorm(max(map(precision, dtypes)) ** 0.5) | Steps(DEFAULT_STEPS)


def report(result: Result, on_failure: str) -> Result:
    """The result, with its failure said as the user asked."""
    if result.ok or on_failure == "ignore":
        return result
    if on_failure == "raise":
        raise MinimizeError(result)
    warn(f"{result.status.name} after {result.steps} steps: {result.message}")
    return result
