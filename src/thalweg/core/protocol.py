"""Whether a method keeps the protocol: one sentence for whoever writes one that does not.

Everything is traced on shapes alone, so nothing is compiled and no value is computed.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_flatten_with_path

from thalweg.core.first_order import as_solver
from thalweg.core.objective import LeastSquares, type_and_shape
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.rule import OptaxRule, Rule
from thalweg.core.solver import Interruptible, Samples, Solver
from thalweg.core.types import Evals, Evaluation, Info, Params, Step, is_number, widest
from thalweg.core.variables import is_array, short, split

_VARIABLES, _SAMPLE_SIZE = 3, 8
"""The size of the problem on which a method is traced where the user gives none."""
_CONCRETE = "a number that is not known while the step is traced: use jnp.where, jax.lax.cond or jax.lax.while_loop"


def check_method(method: Any, problem: Problem | None = None, x: Params | None = None) -> None:
    """Refuses a solver or rule that breaks the protocol; `check_protocol` says what the arguments are."""
    if isinstance(method, type):
        raise TypeError(f"check_protocol({method.__name__}): give a configured method, {method.__name__}(...).")
    solver = as_solver(method)
    if not isinstance(solver, Solver):
        raise TypeError(f"check_protocol({short(method)}): give a solver or a rule, or a part of a solver.")
    check_declarations(solver)
    problem, x = subject(solver, problem, x)
    if isinstance(method, Rule) and not isinstance(method, OptaxRule):
        _check_update(method, x)
    state = _check_init(solver, problem, x)
    key = jax.eval_shape(lambda: jax.random.key(0))
    _check_step(solver, "step", state, x, _trace(solver, "step", problem, state, key))
    check_same(solver, "rebase", state, _trace(solver, "rebase", problem, state))
    if isinstance(solver, Samples):
        _check_examples(solver)
    if isinstance(solver, Interruptible) and solver.interruptible:
        _check_turns(solver, (problem, state, x), key)


def explain_state_change(before: Any, after: Any) -> str:
    """The first difference between two states in words, with the name of the leaf; empty where there is none."""
    (old, was), (new, now) = tree_flatten_with_path(before), tree_flatten_with_path(after)
    names, others = [_name(path) for path, _ in old], [_name(path) for path, _ in new]
    for name in names:
        if name not in others:
            return f"{name} is missing afterwards"
    for name in others:
        if name not in names:
            return f"{name} was not there before"
    if was != now:
        kinds = type(before).__name__, type(after).__name__
        nodes = f"a {kinds[0]} became a {kinds[1]}" if kinds[0] != kinds[1] else f"{was} became {now}"
        return f"its containers changed: {nodes}"
    for name, (_, a), (_, b) in zip(names, old, new, strict=True):
        if difference := _leaf_change(a, b):
            return f"{name} {difference}"
    return ""


def _leaf_change(a: Any, b: Any) -> str:
    """How one leaf changed; empty where it did not."""
    if not _has_shape(b):
        return f"became {short(b)}, which is no array: write jnp.asarray(..., dtype)"
    if not _has_shape(a):
        return f"was {short(a)}, which is no array: write jnp.asarray(..., dtype)"
    if a.shape != b.shape:
        return f"had the shape {a.shape} and has {b.shape} afterwards"
    if a.dtype != b.dtype:
        return f"had the dtype {a.dtype} and has {b.dtype} afterwards: cast it with .astype({a.dtype})"
    if _is_weak(b) and not _is_weak(a):
        return f"became weakly typed, a Python number's type: write jnp.asarray(..., jnp.{a.dtype})"
    return ""


def _has_shape(leaf: Any) -> bool:
    """An array, or the shape and dtype of one."""
    return is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)


def _is_weak(leaf: Any) -> bool:
    """Whether an array took its type from a Python number."""
    return bool(getattr(leaf, "weak_type", False))


def _name(path: tuple) -> str:
    """`state.rule.m` for the path of a leaf."""
    inner = keystr(path, simple=True, separator=".")
    return f"state.{inner}" if inner else "state"


def label(method: Any) -> str:
    """The name under which the author of a method knows it."""
    return type(method).__name__


def _trace(method: Any, name: str, *args: Any, **extra: Any) -> Any:
    """What the method `name` returns for arguments of these shapes, its own arrays as shapes."""
    return trace_shapes(f"{label(method)}.{name}", getattr(method, name), *args, **extra)


def trace_shapes(where: str, call: Callable, *args: Any, **extra: Any) -> Any:
    """What `call` returns for arguments of these shapes, its own arrays as shapes; `where` names it in a sentence."""
    leaves, structure = jax.tree.flatten((args, extra))
    returned = []

    def keep(shapes: list) -> None:
        fill = iter(shapes)
        args, extra = structure.unflatten([next(fill) if _has_shape(leaf) else leaf for leaf in leaves])
        returned.append(call(*args, **extra))

    try:
        jax.eval_shape(keep, [leaf for leaf in leaves if _has_shape(leaf)])
    except jax.errors.JAXTypeError as error:
        raise TypeError(f"{where} looks at {_CONCRETE}.") from error
    return jax.tree.map(_as_shape, returned[0])


def _as_shape(leaf: Any) -> Any:
    """The shape and dtype of an array; anything else as it is."""
    if not is_array(leaf):
        return leaf
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, weak_type=_is_weak(leaf))


def strip_weak_types(tree: Any) -> Any:
    """Shapes as the loop passes them on: it takes weak types away."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)


def check_declarations(part: Any, sets: tuple[str, ...] = ("needs", "takes"), flag: str = "proxy") -> None:
    """What a solver, or a part of one, says of itself: sets of oracles, and a flag where there is one."""
    for name in sets:
        value = getattr(part, name)
        if not isinstance(value, frozenset) or not all(isinstance(one, Oracle) for one in value):
            raise TypeError(f"{label(part)}.{name} is {short(value)}: it must be a frozenset of Oracle members.")
    if flag and not isinstance(getattr(part, flag), bool):
        raise TypeError(f"{label(part)}.{flag} is {short(getattr(part, flag))}: it must be True or False.")


def subject(solver: Solver, problem: Problem | None, x: Params | None) -> tuple[Problem, Params]:
    """The problem on which the solver is traced, and the shapes of its variables."""
    frozen = None
    if problem is None:
        problem, x = _default_problem(solver.needs), jnp.zeros(_VARIABLES) if x is None else x
    if x is None and Oracle.START in problem.objective.offers:
        x = jax.eval_shape(problem.objective.start, jax.eval_shape(lambda: jax.random.key(0)))
    elif x is None:
        raise TypeError("check_protocol(solver, problem, x=None): x is missing; pass variables of the problem.")
    else:
        x, frozen = split(jax.tree.map(lambda leaf: jnp.asarray(leaf) if is_array(leaf) else leaf, x))
    offers = problem.offers(x)
    if missing := solver.needs - offers:
        names = ", ".join(sorted(oracle.value for oracle in missing))
        raise TypeError(f"check_protocol({label(solver)}): it needs {names}; pass problem= and x= that offer it.")
    return problem.training(frozen), jax.tree.map(_as_shape, x)


def _default_problem(needs: frozenset[Oracle]) -> Problem:
    """A sum of squares in the form that the oracles ask for."""
    if Oracle.RESIDUALS in needs:
        return Problem(LeastSquares(residuals=lambda x: x))
    if Oracle.FINITE_SUM in needs:
        return Problem(lambda x, batch: jnp.mean((x - batch) ** 2), jnp.zeros((_SAMPLE_SIZE, _VARIABLES)))
    return Problem(lambda x: 0.5 * jnp.sum(x**2))


def _check_init(solver: Solver, problem: Problem, x: Params) -> Any:
    """The shapes of the first state, which holds arrays and an `x` like the start."""
    state = _trace(solver, "init", problem, x)
    _check_point(solver, "init", state, x)
    check_arrays(solver, state)
    return strip_weak_types(state)


def check_arrays(method: Any, state: Any) -> None:
    """A first state holds arrays alone."""
    for path, leaf in tree_flatten_with_path(state)[0]:
        if not _has_shape(leaf):
            cure = "write jnp.asarray(..., dtype), or make it a static field of the method"
            raise TypeError(f"{label(method)}.init: {_name(path)} is {short(leaf)}, which is no array: {cure}.")


def _check_point(solver: Solver, name: str, state: Any, x: Params) -> None:
    """A state has an `x` like the variables."""
    nothing = object()
    found = getattr(state, "x", nothing)
    if found is nothing:
        kind = type(state).__name__
        raise TypeError(
            f"{label(solver)}.{name} returned the state as a {kind} without an attribute x: make it a NamedTuple with "
            "a field x, the point that the method reports."
        )
    if change := explain_state_change(x, found):
        raise TypeError(
            f"{label(solver)}.{name}: state.x is not like the variables: {change.replace('state', 'state.x', 1)}."
        )


def check_same(solver: Any, name: str, before: Any, after: Any) -> None:
    """The state that a method returns has the shapes of the one that it got."""
    if change := explain_state_change(before, after):
        raise TypeError(f"{label(solver)}.{name} changed the structure of its state: {change}.")


def _check_step(solver: Solver, name: str, before: Any, x: Params, step: Any) -> None:
    """What a step returns."""
    if not isinstance(step, Step):
        what = f"a tuple of {len(step)}" if isinstance(step, tuple) else f"a {type(step).__name__}"
        form = "return Step(state, info), or Step(state, info, seen)"
        raise TypeError(f"{label(solver)}.{name} returned {what}: {form}.")
    _check_point(solver, name, step.state, x)
    check_same(solver, name, before, step.state)
    _check_info(solver, name, step.info)
    if step.seen is not None and not isinstance(step.seen, Evaluation):
        what = f"{described(step.seen)}, and must be what objective.evaluate returned, or None"
        raise TypeError(f"{label(solver)}.{name}: seen is {what}.")


def _check_info(solver: Solver, name: str, info: Any) -> None:
    """A report is made by `make_info`."""
    where, cure = f"{label(solver)}.{name}", "make it with make_info(value, optimality, ...)"
    if not isinstance(info, Info) or not isinstance(info.evals, Evals):
        what = f"info is a {type(info).__name__}" if not isinstance(info, Info) else "info.evals is no Evals"
        raise TypeError(f"{where}: {what}: {cure}.")
    reals = {field: getattr(info, field) for field in ("value", "optimality", "infeasibility", "step_size")}
    counts = {f"evals.{field}": getattr(info.evals, field) for field in Evals._fields} | {"status": info.status}
    expected = [(reals, jnp.dtype(widest())), (counts, jnp.dtype(jnp.int32))]
    for field, value, dtype in ((field, value, dtype) for group, dtype in expected for field, value in group.items()):
        if is_number(value):
            continue
        if not _has_shape(value) or value.shape != () or value.dtype != dtype:
            raise TypeError(f"{where}: info.{field} is {described(value)}, and must be a scalar {dtype}: {cure}.")
    for part in ("aux", "extra"):
        for path, leaf in tree_flatten_with_path(getattr(info, part))[0]:
            if not is_number(leaf) and (not _has_shape(leaf) or leaf.shape != ()):
                entry = part + keystr(path)
                raise TypeError(f"{where}: info.{entry} is {described(leaf)}: the trace holds scalars.")


def described(value: Any) -> str:
    """Shape and dtype of an array or of what stands for one; the type of anything else."""
    if isinstance(value, jax.ShapeDtypeStruct):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return type_and_shape(value)


def _check_examples(solver: Any) -> None:
    """A solver that draws examples knows how many."""
    count = solver.examples(_SAMPLE_SIZE)
    if not isinstance(count, int) or count < 1:
        raise TypeError(f"{label(solver)}.examples({_SAMPLE_SIZE}) is {short(count)}: it must be a whole number >= 1.")


def _check_turns(solver: Any, subject: tuple[Problem, Any, Params], key: Any) -> None:
    """A step that can rest: every turn keeps the shapes of the progress, and the last leads to the same state."""
    problem, state, x = subject
    progress = _trace(solver, "open", problem, state, key)
    _check_done(solver, "open", progress)
    after = _trace(solver, "turn", problem, state, _filled(progress))
    _check_done(solver, "turn", after)
    if change := explain_state_change(_arrays(progress), _arrays(after)):
        raise TypeError(f"{label(solver)}.turn changed its progress: {change.replace('state', 'progress', 1)}.")
    _check_step(solver, "close", state, x, _trace(solver, "close", problem, state, _filled(progress)))


def _arrays(progress: Any) -> Any:
    """The progress without its plain numbers, which are constants."""
    return jax.tree.map(lambda leaf: None if is_number(leaf) else leaf, _filled(progress))


def _filled(progress: Any) -> Any:
    """Shapes as the loop passes them on; plain numbers stay."""
    return jax.tree.map(lambda leaf: leaf if is_number(leaf) else strip_weak_types(leaf), progress)


def _check_done(solver: Any, name: str, progress: Any) -> None:
    """The progress says whether the step is done."""
    done: Any = getattr(progress, "done", None)
    if not _has_shape(done) or done.shape != () or done.dtype != jnp.bool_:
        what = f"progress.done is {described(done)}, and must be a scalar of dtype bool"
        raise TypeError(f"{label(solver)}.{name}: {what}.")


def _check_update(rule: Rule, x: Params) -> None:
    """A rule's update is like the parameters, and its state keeps its shapes."""
    before = _trace(rule, "init", x)
    check_arrays(rule, before)
    before = strip_weak_types(before)
    scalar, key = jax.ShapeDtypeStruct((), widest()), jax.eval_shape(lambda: jax.random.key(0))
    out = _trace(rule, "update", x, before, x, value=scalar, grad=x, value_fn=_half_square, key=key)
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(f"{label(rule)}.update returned {described(out)}: return (update, state).")
    update, after = out
    if change := explain_state_change(x, update):
        raise TypeError(f"{label(rule)}.update is not like the gradient: {change.replace('state', 'update', 1)}.")
    check_same(rule, "update", before, after)
    rate = _trace(rule, "rate", before)
    if not is_number(rate) and (not _has_shape(rate) or rate.shape != ()):
        raise TypeError(f"{label(rule)}.rate returned {described(rate)}: return one number, NaN where there is none.")


def _half_square(params: Params) -> Any:
    """A loss of any tree, for rules that ask for one."""
    return 0.5 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
