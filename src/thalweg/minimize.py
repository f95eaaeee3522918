"""The verb: resolves what the user wrote, refuses what cannot work, and hands the rest to the driver."""

import difflib
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import is_tracer
from thalweg.core.first_order import FirstOrder
from thalweg.core.iterate import Carry
from thalweg.core.objective import Latent
from thalweg.core.oracle import PARTS, Oracle
from thalweg.core.problem import Problem
from thalweg.core.rule import OptaxRule, Rule, is_optax
from thalweg.core.solver import Solver
from thalweg.core.stop import Epochs, GradNorm, Patience, Steps, Stop, length, resolve, rules_of
from thalweg.core.types import Params
from thalweg.core.variables import check_start, short, split
from thalweg.registry import METHODS, fits, fitting
from thalweg.run.callbacks import Callback
from thalweg.run.inspect import UNDER_TRANSFORM
from thalweg.run.launch import Choice, Options, Variables, launch
from thalweg.run.result import MinimizeError, MinimizeWarning, Result
from thalweg.suggest import choose

DEFAULT_STEPS = 10_000
VALIDATE_EVERY = 10
"""Steps between validations on whole data."""


def minimize(
    problem: Problem | Callable,
    x0: Params = None,
    method: Any = None,
    *,
    batch_size: int | None = None,
    stop: Stop | None = None,
    keep: str = "last",
    restarts: int = 1,
    spread: float = 1.0,
    seed: int = 0,
    model_state: Any = None,
    state: Carry | None = None,
    validate_every: int | Epochs | Steps | None = None,
    callbacks: Sequence[Callback] = (),
    chunk: int | None = None,
    dispatch: str | None = None,
    on_failure: str = "warn",
) -> Result:
    """Minimise a problem from `x0`.

    - `problem`: a `Problem`, or a plain function of `x`.
    - `x0`: any tree; its floating-point arrays are the variables, every other leaf is held fixed. None for a
      latent-variable model, which draws its own start.
    - `method`: a rule, a solver, an Optax transformation; None chooses one and says why.
    - `stop`: rules joined by `|` and `&`; default `GradNorm(sqrt(eps)) | Steps(10_000)` with the eps of the
      variables' dtype.
    - `keep`: `"last"`, or `"best"` for the lowest validation value, or the lowest value without validation.
    - `restarts`: this many starts in parallel; the first is `x0`, the others are normal around it with standard
      deviation `spread * max(1, |x0|)`. The best is returned, with every lane's value.
    - `seed`: of all randomness. `model_state`: start of a stateful loss's running statistics.
    - `state`: `result.state` of an earlier run, to continue it.
    - `validate_every`: steps between validations (10 by default). `callbacks`: see `Event`.
    - `chunk`: steps between two looks of the host, chosen by time if None; never changes a number.
    - `dispatch`: `"chunk"` compiles many steps into one program, `"single"` calls each from the host; by default
      the latter only where a convolution meets the CPU backend, which runs it ten times slower inside a loop.
    - `on_failure`: `"warn"`, `"raise"` (a `MinimizeError` with `.result`) or `"ignore"`.

    Raises before anything is compiled where the input cannot be right. A failure of the numbers is a status.
    """
    if batch_size is not None:
        raise ValueError(f"batch_size={batch_size!r}: this version minimises on whole data; leave batch_size=None.")
    options = Options(keep, restarts, spread, seed, state, every(validate_every), tuple(callbacks), chunk, dispatch)
    check_options(options, on_failure)
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    x, frozen = variables(problem, x0, method, seed)
    offers = problem.offers(x)
    solver, reason = resolve_method(offers, x, method)
    check_fit(problem, offers, solver)
    check_together(problem, x, options)
    problem = with_model_state(problem, model_state)
    rule = default_rule(offers, x) if stop is None else stop
    check_stop(problem, offers, rule)
    per_epoch = 1.0 if problem.objective.examples else None
    solver = resolve(solver, per_epoch, length(rule, per_epoch))
    choice = Choice(lambda: method_name(solver), reason, default_limit=stop is None)
    return report(launch(problem, solver, rule, Variables(x, frozen), options, choice), on_failure)


def variables(problem: Problem, x0: Any, method: Any, seed: int) -> tuple[Params, Any]:
    """The variables and what is held fixed."""
    if x0 is None:
        if not isinstance(problem.objective, Latent):
            raise TypeError("minimize(problem, x0): x0 is missing; only a latent-variable model draws its own start.")
        x0 = problem.objective.model.init(jax.random.key(seed), problem.objective.data)
    if any(is_tracer(leaf) for leaf in jax.tree.leaves((problem, x0))):
        raise TypeError(UNDER_TRANSFORM)
    integers = isinstance(method, Solver) and Oracle.GRADIENT not in method.needs
    return split(check_start(x0, integers), integers)


def resolve_method(offers: frozenset[Oracle], x: Params, method: Any) -> tuple[Solver, str | None]:
    """The solver that the user meant, and the reason where the choice was ours."""
    if method is None:
        return choose(offers, sum(leaf.size for leaf in jax.tree.leaves(x)))
    if is_optax(method):
        method = OptaxRule(method)
    if isinstance(method, Rule):
        return FirstOrder(method), None
    if isinstance(method, Solver):
        return method, None
    if isinstance(method, str):
        near = difflib.get_close_matches(method.lower(), METHODS, n=1)
        name = METHODS[near[0]].make.__name__ if near else "LBFGS"
        raise TypeError(f"method={method!r} is a name: pass the method itself, e.g. tw.{name}().")
    if isinstance(method, type) or callable(method):
        raise TypeError(f"method={short(method)} is not configured: call it, e.g. tw.{method.__name__}(...).")
    raise TypeError(f"method={method!r} is not a rule, a solver or an Optax transformation.")


def check_fit(problem: Problem, offers: frozenset[Oracle], method: Solver) -> None:
    """One sentence where the method needs what the problem lacks, or would ignore what it has."""
    if fits(method, offers):
        return
    name = method_name(method)
    others = ", ".join(fitting(offers)) or "none in this version"
    ignored = (offers & PARTS) - method.takes - method.needs
    if ignored:
        parts = ", ".join(sorted(describe(problem, part) for part in ignored))
        raise ValueError(f"{name} would ignore {parts}; methods that fit: {others}.")
    missing = ", ".join(sorted(oracle.value for oracle in method.needs - offers))
    raise ValueError(f"{name} needs {missing}, which this problem does not offer; methods that fit: {others}.")


def describe(problem: Problem, part: Oracle) -> str:
    """A part as the user wrote it."""
    value = getattr(problem, part.value, None)
    return part.value if value is None or part not in PARTS else f"{part.value}={short(value)}"


def method_name(method: Solver) -> str:
    """The name under which the user knows a solver: that of the registry's row with the same parts."""
    for row in METHODS.values():
        if kind(row.solver()) == kind(method):
            return row.make.__name__
    return kind(method)[-1].__name__


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


def default_rule(offers: frozenset[Oracle], x: Params) -> Stop:
    """Converged to the square root of the precision of the variables (of the narrowest), or 10 000 steps."""
    if Oracle.WHOLE not in offers:
        raise ValueError(
            "stop=None: a random or stateful loss has no gradient test; say how long, e.g. stop=tw.Steps(1000)."
        )
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
        if isinstance(rule, Epochs) and not problem.objective.examples:
            raise ValueError(f"{rule!r} needs data to know how long an epoch is: use tw.Steps(n).")
        if isinstance(rule, Patience) and problem.validation is None:
            raise ValueError(f"{rule!r} counts validations: pass Problem(..., validation=(X, y)).")


def check_options(options: Options, on_failure: str) -> None:
    """Refuses options out of range."""
    choices = {"keep": ("last", "best"), "dispatch": (None, "chunk", "single")}
    for name, allowed in choices.items():
        if getattr(options, name) not in allowed:
            raise ValueError(f"{name}={getattr(options, name)!r}: choose one of {', '.join(map(repr, allowed))}.")
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


def check_together(problem: Problem, x: Params, options: Options) -> None:
    """Refuses combinations that mean nothing."""
    if problem.bounds is not None:
        problem.bounds.check(x)
    watched = {"callbacks": options.callbacks or None, "state": options.state, "validation": problem.validation}
    for name, value in watched.items():
        if options.restarts > 1 and value is not None:
            raise ValueError(f"restarts={options.restarts} runs many starts at once: {name} goes with restarts=1.")


def every(validate_every: Any) -> int:
    """Steps between two validations; on whole data an epoch is one step."""
    if validate_every is None:
        return VALIDATE_EVERY
    count = validate_every.count if isinstance(validate_every, (Epochs, Steps)) else validate_every
    if isinstance(count, bool) or not isinstance(count, (int, float)) or count < 1 or count != int(count):
        raise ValueError(f"validate_every={validate_every!r}: give whole steps >= 1.")
    return int(count)


def report(result: Result, on_failure: str) -> Result:
    """The result, with its failure said as the user asked."""
    if result.ok or on_failure == "ignore":
        return result
    if on_failure == "raise":
        raise MinimizeError(result)
    warnings.warn(f"{result.status.name} after {result.steps} steps: {result.message}", MinimizeWarning, stacklevel=3)
    return result
