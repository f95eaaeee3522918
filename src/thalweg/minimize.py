"""The verb: resolves what the user wrote, refuses what cannot work, and hands the rest to the driver."""

import difflib
import functools
import warnings
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.average import Average, check_average
from thalweg.core.batches import Batches
from thalweg.core.compiled import program
from thalweg.core.duration import length, resolve
from thalweg.core.fields import is_tracer
from thalweg.core.first_order import FirstOrder, as_solver
from thalweg.core.iterate import Carry
from thalweg.core.objective import Latent, name_of
from thalweg.core.oracle import PARTS, Oracle
from thalweg.core.problem import Problem
from thalweg.core.rule import Rule
from thalweg.core.solver import Samples, Solver
from thalweg.core.stop import Epochs, GradNorm, Patience, StepNorm, Steps, Stop, rules_of
from thalweg.core.types import Params
from thalweg.core.variables import check_start, short, split
from thalweg.registry import METHODS, fits, fitting
from thalweg.run.callbacks import Callback
from thalweg.run.inspect import UNDER_TRANSFORM
from thalweg.run.launch import Choice, Options, Variables, epoch_length, launch
from thalweg.run.result import MinimizeError, MinimizeWarning, Result
from thalweg.suggest import candidates, choose

DEFAULT_STEPS = 10_000
"""The limit beside the gradient test; to reach it is a failure."""
WALK = Steps(1000)
"""How long a method runs that measures no residual; to reach it is what was asked for."""
MEASURABLE = frozenset({Oracle.GRADIENT, Oracle.RESIDUALS, Oracle.LATENT})
"""A method that needs one of these reports a first-order residual."""


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
      too), every other leaf is held fixed. Outside the bounds it is moved to the nearest point within. None for a
      latent-variable model, which draws its own start.
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
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    problem = problem if batches is None else in_batches(problem, batches)
    x0 = own_start(problem, method, batches, seed) if x0 is None else x0
    x, frozen = variables(problem, x0, method)
    offers = problem.offers(x)
    solver, reason = resolve_method(offers, x, method)
    check_fit(problem, offers, solver, batches)
    check_together(problem, x, offers, options)
    x = x if problem.bounds is None else problem.bounds.start(x)
    problem = with_model_state(problem, model_state)
    rule = default_rule(offers, x, solver) if stop is None else stop
    check_stop(problem, offers, rule)
    check_measured(rule, solver, offers)
    per_epoch = epoch_length(problem, solver, batches).steps
    solver = resolve(solver, per_epoch, length(rule, per_epoch))
    options = options._replace(average=resolve(average, per_epoch, None))
    choice = Choice(lambda: method_name(solver), reason, default_limit=stop is None and rule is not WALK)
    return report(launch(problem, solver, rule, Variables(x, frozen), options, choice), on_failure)


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
    offers = problem.offers(())
    check_fit(problem, offers, resolve_method(offers, (), method)[0], batches)
    found, dynamic = program(drawn, problem.objective, np.uint32(seed))
    return found.call(dynamic)


def variables(problem: Problem, x0: Any, method: Any) -> tuple[Params, Any]:
    """The variables and what is held fixed."""
    if any(is_tracer(leaf) for leaf in jax.tree.leaves((problem, x0))):
        raise TypeError(UNDER_TRANSFORM)
    integers = isinstance(method, Solver) and Oracle.GRADIENT not in method.needs
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


def check_fit(problem: Problem, offers: frozenset[Oracle], method: Solver, batches: Batches | None) -> None:
    """One sentence where the method needs what the problem lacks, or would ignore what it has."""
    if fits(method, offers):
        return
    name = method_name(method)
    if isinstance(method, Samples) and batches is not None:
        raise ValueError(
            f"{name} draws its own batches: write tw.{name}(..., batch_size={batches.size}), and leave batch_size=None."
        )
    others = candidates(offers)
    missing = method.needs - offers
    ignored = (offers & PARTS) - method.takes - method.needs
    if Oracle.WHOLE in missing:
        changing = changes(offers, batches)
        cure = f"methods that fit: {others}" if fitting(offers) or batches is None else "leave batch_size=None"
        raise ValueError(f"{name} needs {Oracle.WHOLE.value}, which {changing}; {cure}.")
    if ignored:
        parts = ", ".join(sorted(describe(problem, part) for part in ignored))
        raise ValueError(f"{name} would ignore {parts}; methods that fit: {others}.")
    names = ", ".join(sorted(oracle.value for oracle in missing))
    raise ValueError(f"{name} needs {names}, which this problem does not offer; methods that fit: {others}.")


def changes(offers: frozenset[Oracle], batches: Batches | None) -> str:
    """What makes the function another one at every step."""
    if batches is not None:
        return f"batch_size={batches.size} changes"
    if Oracle.BATCHES in offers:
        return "a stream of batches changes"
    part = Oracle.KEY if Oracle.KEY in offers else Oracle.MODEL_STATE
    return f"{part.value} changes"


def describe(problem: Problem, part: Oracle) -> str:
    """A part as the user wrote it."""
    name = Oracle.NONSMOOTH.value if part is Oracle.SET else part.value
    value = getattr(problem, name, None)
    if value is None or part not in PARTS:
        return name
    return f"{name}={name_of(value) if isinstance(value, FunctionType) else short(value)}"


def method_name(method: Solver) -> str:
    """The name under which the user knows a solver: that of the registry's row with the same parts, or of its rule."""
    if isinstance(method, FirstOrder):
        return rule_name(method.rule)
    for row in METHODS.values():
        if kind(row.solver()) == kind(method):
            return row.make.__name__
    return type(method).__name__


def rule_name(rule: Rule) -> str:
    """A rule's name, with that of the rule inside: `Clip(AdamW)`."""
    inner = getattr(rule, "rule", None)
    return f"{type(rule).__name__}({rule_name(inner)})" if isinstance(inner, Rule) else type(rule).__name__


def kind(method: Solver) -> tuple[type, ...]:
    """The class of a solver and of what makes it the method that it is: its rule, or its direction."""
    inner = getattr(method, "rule", getattr(method, "direction", None))
    return (type(method),) if inner is None else (type(method), type(inner))


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
    return default_stop(frozenset(leaf.dtype for leaf in jax.tree.leaves(x)), jnp.result_type(float))


@functools.cache
def default_stop(dtypes: frozenset[Any], widest: Any) -> Stop:
    """The default rule for variables of these dtypes, where `widest` is the widest float in use."""
    eps = max(float(jnp.finfo(jax.dtypes.canonicalize_dtype(dtype)).eps) for dtype in dtypes)
    return GradNorm(eps**0.5) | Steps(DEFAULT_STEPS)


def check_stop(problem: Problem, offers: frozenset[Oracle], stop: Any) -> None:
    """Refuses stop rules that this problem cannot feed."""
    if not isinstance(stop, Stop):
        raise TypeError(f"stop={stop!r} is not a stop rule: write e.g. tw.Steps(1000) | tw.GradNorm(1e-6).")
    for rule in rules_of(stop):
        if isinstance(rule, GradNorm) and Oracle.WHOLE not in offers:
            raise ValueError(f"{rule!r} needs the same function at every step; use tw.Steps(n) or tw.Target(value).")
        if isinstance(rule, Epochs) and problem.stream is not None and problem.stream.once:
            raise ValueError(
                f"{rule!r} needs a stream that can be read again, and an iterator is read once: give a list, a loader "
                "or a function of the epoch, or use tw.Steps(n)."
            )
        if isinstance(rule, Epochs) and unmeasured(problem) and rule.count != int(rule.count):
            raise ValueError(f"{rule!r} needs to know how long an epoch is: give tw.Stream(source, steps_per_epoch=n).")
        if isinstance(rule, Epochs) and not problem.objective.examples:
            raise ValueError(f"{rule!r} needs data to know how long an epoch is: use tw.Steps(n).")
        if isinstance(rule, Patience) and problem.validation is None:
            raise ValueError(f"{rule!r} counts validations: pass Problem(..., validation=(X, y)).")


def check_measured(stop: Stop, solver: Solver, offers: frozenset[Oracle]) -> None:
    """Refuses tests of what the method does not measure, or the variables do not have."""
    for rule in rules_of(stop):
        if isinstance(rule, GradNorm) and not solver.needs & MEASURABLE:
            name = method_name(solver)
            raise ValueError(f"{rule!r} never fires: {name} measures no residual; use tw.Steps(n) or tw.Target(value).")
        if isinstance(rule, StepNorm) and Oracle.INTEGERS in offers:
            raise ValueError(f"{rule!r} measures continuous steps, and x0 holds integers; use tw.Steps(n).")


def unmeasured(problem: Problem) -> bool:
    """Whether the end of a pass is seen only when it comes."""
    return problem.stream is not None and problem.stream.steps_per_epoch is None


def check_options(options: Options, on_failure: str) -> None:
    """Refuses options out of range."""
    choices = {
        "keep": ("last", "best"),
        "dispatch": (None, "chunk", "single"),
        "on_nonfinite": ("stop", "skip", "rollback"),
    }
    for name, allowed in choices.items():
        if getattr(options, name) not in allowed:
            raise ValueError(f"{name}={getattr(options, name)!r}: choose one of {', '.join(map(repr, allowed))}.")
    check_average(options.average)
    if on_failure not in ("warn", "raise", "ignore"):
        raise ValueError(f"on_failure={on_failure!r}: choose one of 'warn', 'raise', 'ignore'.")
    for name, low, high in (("restarts", 1, None), ("chunk", 1, None), ("seed", 0, 2**32 - 1)):
        value = getattr(options, name)
        if name == "chunk" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < low or (high and value > high):
            demand = f"a whole number >= {low}" + (f" and <= {high}" if high else "")
            raise ValueError(f"{name}={value!r}: {name} must be {demand}.")
    if not isinstance(options.spread, (int, float)) or not options.spread > 0:
        raise ValueError(f"spread={options.spread!r}: spread must be a number > 0.")


def check_together(problem: Problem, x: Params, offers: frozenset[Oracle], options: Options) -> None:
    """Refuses combinations that mean nothing."""
    if problem.bounds is not None:
        problem.bounds.check(x)
    watched = {"callbacks": options.callbacks or None, "state": options.state, "validation": problem.validation}
    watched |= {"batch_size": options.batches, "a stream": problem.stream}
    for name, value in watched.items():
        if options.restarts > 1 and value is not None:
            raise ValueError(f"restarts={options.restarts} runs many starts at once: {name} goes with restarts=1.")
    if options.on_nonfinite != "stop" and Oracle.WHOLE in offers:
        raise ValueError(
            f"on_nonfinite={options.on_nonfinite!r}: on whole data the same step would fail again; use it with "
            "batch_size= or a random loss."
        )
    if options.keep == "best" and Oracle.BATCHES in offers and problem.validation is None:
        raise ValueError(
            "keep='best' on batches compares validation values: pass Problem(..., validation=(X, y)), or keep='last'."
        )


def report(result: Result, on_failure: str) -> Result:
    """The result, with its failure said as the user asked."""
    if result.ok or on_failure == "ignore":
        return result
    if on_failure == "raise":
        raise MinimizeError(result)
    warnings.warn(f"{result.status.name} after {result.steps} steps: {result.message}", MinimizeWarning, stacklevel=3)
    return result
