"""From what was asked to a plan: the problem, the start, the method and the stop rule, resolved and checked."""

import difflib
import functools
from typing import Any

import jax
import numpy as np

from thalweg.checks import (
    MEASURABLE,
    check_fit,
    check_measured,
    check_stop,
    check_together,
    name_of_method,
)
from thalweg.core.batches import Batches
from thalweg.core.compiled import Recent, is_hashable, program
from thalweg.core.duration import length, resolve
from thalweg.core.fields import is_tracer
from thalweg.core.first_order import as_solver
from thalweg.core.objective import Objective
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.stop import GradNorm, Steps, Stop
from thalweg.core.types import Params, widest
from thalweg.core.variables import check_start, is_inexact, placement, short, split
from thalweg.run.explain.cautions import precision, warn_of_tolerance
from thalweg.run.loss_facts import UNDER_TRANSFORM
from thalweg.run.plan import Plan, Request, cadence, epoch_length
from thalweg.run.programs import Task

DEFAULT_STEPS = 10_000
"""The limit beside the gradient test; to reach it is a failure."""
_WALK = Steps(1000)
"""How long a method runs that measures no residual; to reach it is what was asked for."""

_problems = Recent()
_PLANS = 16
"""Plans kept with a problem."""


def as_problem(problem: Any, batches: Batches | None) -> Problem:
    """The problem as every step will see it: of a plain function the same one at every call, of batches in batches."""
    if not isinstance(problem, Problem):
        try:
            problem = _problems.get(problem, lambda: Problem(problem))
        except TypeError:  # it cannot be hashed, or is no function
            problem = Problem(problem)
    return problem if batches is None else _in_batches(problem, batches)


def start_of(problem: Problem, x0: Any, request: Request) -> tuple[Params, Any]:
    """The variables at the start, and what is held fixed; a latent-variable model draws its own where none is given."""
    if x0 is None:
        x0 = _drawn_start(problem, request)
    leaves = jax.tree.leaves(x0)
    if any(is_tracer(leaf) for leaf in leaves):
        raise TypeError(UNDER_TRANSFORM)
    floating = bool(leaves) and all(is_inexact(leaf) for leaf in leaves)
    integers = not floating and isinstance(request.method, Solver) and Oracle.GRADIENT not in request.method.needs
    return split(check_start(x0, integers), integers)


def _drawn_start(problem: Problem, request: Request) -> Params:
    """The start that a latent-variable model draws."""
    if Oracle.START not in problem.objective.offers:
        problem.objective.start(jax.random.key(request.seed))  # says why there is none
    offers = problem.offers(())
    check_fit(problem, offers, resolve_method(offers, (), request.method)[0], request.batches)
    found, dynamic = program(_draw_start, problem.objective, np.uint32(request.seed))
    return found.call(dynamic)


def _draw_start(objective: Objective, seed: Any) -> Params:
    """A random start: one program, because the many small operations of a model's `init` compile one by one."""
    return objective.start(jax.random.key(seed))


def planned(problem: Problem, x: Params, frozen: Any, request: Request) -> Plan:
    """The plan of a request; the same one where everything but the numbers of `x` is the same."""
    asked = request._replace(method=None, stop=None, model_state=None)
    alike = asked._replace(seed=0, state=request.state is not None, callbacks=(bool(request.callbacks),))
    shapes = tuple((leaf.shape, leaf.dtype, placement(leaf)) for leaf in jax.tree.leaves(x))
    parts = tuple(map(_statics, (request.method, request.stop, frozen)))
    key = (parts, jax.tree.structure(x), shapes, alike, widest())
    if request.model_state is None and is_hashable(key):
        return _plans_of(problem).get(key, lambda: _make_plan(problem, x, frozen, request))
    return _make_plan(problem, x, frozen, request)  # an array in the method, or beside the variables: no key


def _plans_of(problem: Problem) -> Recent:
    """What was made of a problem, kept with it: a cache of ours would keep its data alive."""
    if "_plans" not in vars(problem):
        object.__setattr__(problem, "_plans", Recent(_PLANS))
    return vars(problem)["_plans"]


def _statics(tree: Any) -> Any:
    """A tree as a key: equal where structure and leaves are, types included."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((type(leaf), leaf) for leaf in leaves)


def _make_plan(problem: Problem, x: Params, frozen: Any, request: Request) -> Plan:
    """The method, the stop rule and the problem as they will run; one sentence where they do not go together."""
    if any(is_tracer(leaf) for leaf in jax.tree.leaves(problem)):
        raise TypeError(UNDER_TRANSFORM)
    batches, stop, offers = request.batches, request.stop, problem.offers(x)
    solver, reason = resolve_method(offers, x, request.method)
    check_fit(problem, offers, solver, batches)
    check_together(problem, x, offers, request)
    problem = _with_model_state(problem, request.model_state)
    rule = _default_rule(offers, x, solver) if stop is None else stop
    check_stop(problem, offers, rule)
    check_measured(rule, solver, offers)
    warn_of_tolerance(rule, x)
    epoch = epoch_length(problem, solver, batches)
    solver = resolve(solver, epoch.steps, length(rule, epoch.steps))
    average = resolve(request.average, epoch.steps, None)
    return Plan(
        problem=problem,
        task=Task(problem.training(frozen), solver, rule, batches, average),
        frozen=frozen,
        name=lambda: name_of_method(solver),
        reason=reason,
        default_limit=stop is None and rule is not _WALK,
        whole=problem.whole,
        epoch=epoch,
        cadence=cadence(problem, rule, epoch, request),
        programs=[],
    )


def as_batches(batch_size: Any, last: str, shuffle: bool) -> Batches | None:
    """What `batch_size=`, `last=` and `shuffle=` ask for; None for whole data."""
    if batch_size is None:
        return None
    if isinstance(batch_size, (bool, float)) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ValueError(f"batch_size={batch_size!r}: give a whole number >= 1, or None for whole data.")
    return Batches(int(batch_size), last, shuffle)


def _in_batches(problem: Problem, batches: Batches) -> Problem:
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
    return _plans_of(problem).get("in batches", problem.in_batches)  # one object, whose plans are found again


def resolve_method(offers: frozenset[Oracle], x: Params, method: Any) -> tuple[Solver, str | None]:
    """The solver that the user meant, and the reason where the choice was ours."""
    if method is None:
        from thalweg.suggestion import choose  # imports every method; a run with a method of the user's does not

        return choose(offers, sum(leaf.size for leaf in jax.tree.leaves(x)))
    method = as_solver(method)
    if isinstance(method, Solver):
        return method, None
    if isinstance(method, str):
        from thalweg.registry import METHODS

        near = difflib.get_close_matches(method.lower(), METHODS, n=1)
        name = METHODS[near[0]].make.__name__ if near else "LBFGS"
        raise TypeError(f"method={method!r} is a name: pass the method itself, e.g. tw.{name}().")
    if isinstance(method, type) or callable(method):
        raise TypeError(f"method={short(method)} is not configured: call it, e.g. tw.{method.__name__}(...).")
    raise TypeError(f"method={method!r} is not a rule, a solver or an Optax transformation.")


def _with_model_state(problem: Problem, model_state: Any) -> Problem:
    """The problem with the running statistics that a stateful loss starts from."""
    stateful = Oracle.MODEL_STATE in problem.objective.offers
    if stateful != (model_state is not None):
        cure = "pass model_state=" if stateful else "build the problem with stateful=True"
        raise ValueError(f"minimize(model_state=...): a stateful loss and its first state go together: {cure}.")
    if not stateful:
        return problem
    return problem.on(problem.objective.data, None, model_state)


def _default_rule(offers: frozenset[Oracle], x: Params, solver: Solver) -> Stop:
    """Converged to the square root of the precision of the variables (of the narrowest), or 10 000 steps.

    A method that measures no residual makes 1000 steps.
    """
    if Oracle.WHOLE not in offers:
        raise ValueError(
            "stop=None: where the function changes from step to step there is no gradient test; say how long, e.g. "
            f"stop={'tw.Epochs(10)' if Oracle.BATCHES in offers else 'tw.Steps(1000)'}."
        )
    if not solver.needs & MEASURABLE:
        return _WALK
    return _default_stop(frozenset(leaf.dtype for leaf in jax.tree.leaves(x)), widest())


@functools.cache
def _default_stop(dtypes: frozenset[Any], widest: Any) -> Stop:
    """The default rule for variables of these dtypes, where `widest` is the widest float in use."""
    return GradNorm(max(map(precision, dtypes)) ** 0.5) | Steps(DEFAULT_STEPS)
