"""What is refused before anything is compiled, each in one sentence."""

from types import FunctionType
from typing import Any

from thalweg.core.average import check_average
from thalweg.core.batches import Batches
from thalweg.core.objective import name_of
from thalweg.core.oracle import PARTS, Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Samples, Solver, fits, ignored_by, unmet
from thalweg.core.stop import Epochs, GradNorm, Patience, StepNorm, Stop, rules_of
from thalweg.core.types import Params
from thalweg.core.variables import short
from thalweg.run.plan import Request

MEASURABLE = frozenset({Oracle.GRADIENT, Oracle.RESIDUALS, Oracle.LATENT})
"""A method that needs one of these reports a first-order residual."""


def name_of_method(solver: Solver) -> str:
    """The name under which the registry knows a method; it is imported when somebody asks."""
    from thalweg.registry import method_name

    return method_name(solver)


def check_fit(problem: Problem, offers: frozenset[Oracle], method: Solver, batches: Batches | None) -> None:
    """One sentence where the method needs what the problem lacks, or would ignore what it has."""
    if fits(method, offers):
        return
    # Every method's module is behind the registry: only a refusal imports them, for the names of those that fit.
    from thalweg.registry import fitting
    from thalweg.suggestion import candidates

    name = name_of_method(method)
    if isinstance(method, Samples) and batches is not None:
        raise ValueError(
            f"{name} draws its own batches: write tw.{name}(..., batch_size={batches.size}), and leave batch_size=None."
        )
    others = candidates(offers)
    missing, ignored = unmet(method, offers), ignored_by(method, offers)
    if Oracle.WHOLE in missing:
        changing = _changes(offers, batches)
        cure = f"methods that fit: {others}" if fitting(offers) or batches is None else "leave batch_size=None"
        raise ValueError(f"{name} needs {Oracle.WHOLE.value}, which {changing}; {cure}.")
    if ignored:
        parts = ", ".join(sorted(_part_in_words(problem, part) for part in ignored))
        raise ValueError(f"{name} would ignore {parts}; methods that fit: {others}.")
    if Oracle.CURVATURE in missing:
        raise ValueError(
            f"{name} needs {Oracle.CURVATURE.value}, which no loop makes yet: call its `update` in a loop of your own; "
            f"methods that fit: {others}."
        )
    names = ", ".join(sorted(oracle.value for oracle in missing))
    raise ValueError(f"{name} needs {names}, which this problem does not offer; methods that fit: {others}.")


def _changes(offers: frozenset[Oracle], batches: Batches | None) -> str:
    """What makes the function another one at every step."""
    if batches is not None:
        return f"batch_size={batches.size} changes"
    if Oracle.BATCHES in offers:
        return "a stream of batches changes"
    part = Oracle.KEY if Oracle.KEY in offers else Oracle.MODEL_STATE
    return f"{part.value} changes"


def _part_in_words(problem: Problem, part: Oracle) -> str:
    """A part as the user wrote it."""
    name = Oracle.NONSMOOTH.value if part is Oracle.SET else part.value
    value = getattr(problem, name, None)
    if value is None or part not in PARTS:
        return name
    return f"{name}={name_of(value) if isinstance(value, FunctionType) else short(value)}"


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
        if isinstance(rule, Epochs) and _unmeasured(problem) and rule.count != int(rule.count):
            raise ValueError(f"{rule!r} needs to know how long an epoch is: give tw.Stream(source, steps_per_epoch=n).")
        if isinstance(rule, Epochs) and not problem.objective.examples:
            raise ValueError(f"{rule!r} needs data to know how long an epoch is: use tw.Steps(n).")
        if isinstance(rule, Patience) and problem.validation is None:
            raise ValueError(f"{rule!r} counts validations: pass Problem(..., validation=(X, y)).")


def check_measured(stop: Stop, solver: Solver, offers: frozenset[Oracle]) -> None:
    """Refuses tests of what the method does not measure, or the variables do not have."""
    for rule in rules_of(stop):
        if isinstance(rule, GradNorm) and not solver.needs & MEASURABLE:
            name = name_of_method(solver)
            raise ValueError(f"{rule!r} never fires: {name} measures no residual; use tw.Steps(n) or tw.Target(value).")
        if isinstance(rule, StepNorm) and Oracle.INTEGERS in offers:
            raise ValueError(f"{rule!r} measures continuous steps, and x0 holds integers; use tw.Steps(n).")


def _unmeasured(problem: Problem) -> bool:
    """Whether the end of a pass is seen only when it comes."""
    return problem.stream is not None and problem.stream.steps_per_epoch is None


def check_request(request: Request, on_failure: str) -> None:
    """Refuses options out of range."""
    choices = {
        "keep": ("last", "best"),
        "dispatch": (None, "chunk", "single"),
        "on_nonfinite": ("stop", "skip", "rollback"),
    }
    for name, allowed in choices.items():
        if getattr(request, name) not in allowed:
            raise ValueError(f"{name}={getattr(request, name)!r}: choose one of {', '.join(map(repr, allowed))}.")
    check_average(request.average)
    if on_failure not in ("warn", "raise", "ignore"):
        raise ValueError(f"on_failure={on_failure!r}: choose one of 'warn', 'raise', 'ignore'.")
    for name, low, high in (("restarts", 1, None), ("chunk", 1, None), ("seed", 0, 2**32 - 1)):
        value = getattr(request, name)
        if name == "chunk" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < low or (high and value > high):
            demand = f"a whole number >= {low}" + (f" and <= {high}" if high else "")
            raise ValueError(f"{name}={value!r}: {name} must be {demand}.")
    if not isinstance(request.spread, (int, float)) or not request.spread > 0:
        raise ValueError(f"spread={request.spread!r}: spread must be a number > 0.")


def check_together(problem: Problem, x: Params, offers: frozenset[Oracle], request: Request) -> None:
    """Refuses combinations that mean nothing."""
    if problem.bounds is not None:
        problem.bounds.check(x)
    watched = {"callbacks": request.callbacks or None, "state": request.state, "validation": problem.validation}
    watched |= {"batch_size": request.batches, "a stream": problem.stream}
    for name, value in watched.items():
        if request.restarts > 1 and value is not None:
            raise ValueError(f"restarts={request.restarts} runs many starts at once: {name} goes with restarts=1.")
    if request.on_nonfinite != "stop" and Oracle.WHOLE in offers:
        raise ValueError(
            f"on_nonfinite={request.on_nonfinite!r}: on whole data the same step would fail again; use it with "
            "batch_size= or a random loss."
        )
    if request.keep == "best" and Oracle.BATCHES in offers and problem.validation is None:
        raise ValueError(
            "keep='best' on batches compares validation values: pass Problem(..., validation=(X, y)), or keep='last'."
        )
