"""Whether a method, or a part of one, keeps its protocol: the tool for whoever writes one."""

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.problem import Problem
from thalweg.core.protocol import (
    check_arrays,
    check_declarations,
    check_method,
    check_same,
    described,
    label,
    strip_weak_types,
    subject,
    trace_shapes,
)
from thalweg.core.types import Params
from thalweg.line_search.protocol import Found, LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.descent.descent import Descent, ray_along
from thalweg.solvers.descent.direction import Direction, Heading, Taken
from thalweg.solvers.descent.steepest import Steepest
from thalweg.solvers.trust_region.model import LocalModel, QuadraticModel, TrialPoint
from thalweg.solvers.trust_region.subproblem import Proposal, Subproblem
from thalweg.solvers.trust_region.trust_region import TrustRegion


def check_protocol(method: Any, problem: Problem | None = None, x: Params | None = None) -> None:
    """Refuses a method that breaks its protocol, in one sentence that says where; else returns nothing.

    - `method`: a configured solver or rule, for instance `MySolver(0.1)`; or a part of a solver, a `Direction`, a
      `LineSearch`, a `QuadraticModel` or a `Subproblem`.
    - `problem`: the problem on which it is traced; by default a sum of squares of three variables, with examples or
      residuals where the method needs them.
    - `x`: variables of that problem, of which only shapes and dtypes matter.

    A state without `x`, a pair in place of a `Step`, a leaf of the state that changes its shape, an `Info` that
    `make_info` did not make: each is a `TypeError`. Everything is traced on shapes alone, so nothing is compiled.
    """
    if isinstance(method, Direction):
        check_declarations(method, flag="")
        solver = Descent(method, StrongWolfe())
        _check_direction(method, *subject(solver, problem, x))
    elif isinstance(method, LineSearch):
        solver = Descent(Steepest(), method)
        _check_search(method, *subject(solver, problem, x))
    elif isinstance(method, QuadraticModel):
        check_declarations(method, ("needs",), "exact_hessian")
        solver = TrustRegion(model=method)
        _check_model(method, *subject(solver, problem, x))
    elif isinstance(method, Subproblem):
        check_declarations(method, (), "spectral")
        solver = TrustRegion(method)
        _check_subproblem(method, *subject(solver, problem, x))
    else:
        solver = method
    check_method(solver, problem, x)


def _check_direction(direction: Direction, problem: Problem, x: Params) -> None:
    """A direction returns a `Heading`, and its state keeps its shapes."""
    name = label(direction)
    state = trace_shapes(f"{name}.init", direction.init, x)
    check_arrays(direction, state)
    state, seen = strip_weak_types(state), trace_shapes(name, problem.objective.evaluate, x)
    key = jax.eval_shape(lambda: jax.random.key(0))
    heading = trace_shapes(name, direction, problem, seen, state, key)
    _check_kind(name, heading, Heading, "Heading(d, state)")
    check_same(direction, "__call__ (its heading.state)", state, heading.state)
    step = jax.eval_shape(lambda seen: jnp.ones((), seen.value.dtype), seen)
    taken = Taken(seen, seen, x, step, x, seen.grad)
    check_same(direction, "update", state, trace_shapes(f"{name}.update", direction.update, state, taken))


def _check_search(search: LineSearch, problem: Problem, x: Params) -> None:
    """A search returns a `Found`, and its memory keeps its shapes."""
    name = label(search)
    seen = trace_shapes(name, problem.objective.evaluate, x)
    memory = trace_shapes(f"{name}.init", search.init, seen)
    check_arrays(search, memory)
    memory = strip_weak_types(memory)

    def along(seen: Any, memory: Any) -> Any:
        heading = Steepest()(problem, seen, (), jax.random.key(0))
        return search(ray_along(problem, seen, heading), memory)

    found = trace_shapes(name, along, seen, memory)
    _check_kind(name, found, Found, "Found(step, phi, ok, unbounded, count)")
    check_same(search, "__call__ (its found.memory)", memory, found.memory)


def _check_model(model: QuadraticModel, problem: Problem, x: Params) -> None:
    """A model returns a `LocalModel` and a `TrialPoint`, and its memory keeps its shapes."""
    name = label(model)
    memory = trace_shapes(f"{name}.init", model.init, problem, x)
    check_arrays(model, memory)
    memory = strip_weak_types(memory)

    def both(x: Params, memory: Any) -> Any:
        here = model.at(problem, x, memory)
        _check_kind(f"{name}.at", here, LocalModel, "LocalModel(value, grad, quadratic, length, evals)")
        return model.trial(problem, here, x, x)

    trial = trace_shapes(f"{name}.trial", both, x, memory)
    _check_kind(f"{name}.trial", trial, TrialPoint, "TrialPoint(value, slope, evals, taken, refused)")
    check_same(model, "trial (its taken)", memory, trial.taken)
    check_same(model, "trial (its refused)", memory, trial.refused)


def _check_subproblem(subproblem: Subproblem, problem: Problem, x: Params) -> None:
    """A subproblem returns a `Proposal`."""
    solver = TrustRegion(subproblem)

    def propose(x: Params) -> Any:
        here = solver.model.at(problem, x, solver.model.init(problem, x))
        return subproblem(here.quadratic, here.length.astype(here.grad.dtype))

    proposal = trace_shapes(label(subproblem), propose, x)
    _check_kind(label(subproblem), proposal, Proposal, "Proposal(step, decrease, hvps, ...)")


def _check_kind(where: str, value: Any, kind: type, form: str) -> None:
    """What a part returns is of the kind that the method around it reads."""
    if not isinstance(value, kind):
        what = f"a tuple of {len(value)}" if isinstance(value, tuple) else described(value)
        raise TypeError(f"{where} returned {what}: return {form}.")
