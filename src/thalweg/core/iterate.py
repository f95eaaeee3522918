"""The one outer loop of the package: pure, and blind to which method it runs.

`advance` is one turn of it: bind the problem to this step's batch, key and model state; let the solver step;
look at the stop rule. `iterate` repeats that inside a compiled loop and writes one packed row a step. Whatever
needs a clock, a file or a terminal happens between calls, in the driver.

Inside the loop nothing is done to whole trees beyond the method's own work. So the best point is found in the trace
and recovered by replaying its chunk, and only the value is tested for finiteness.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun

from thalweg.core.average import Average, Averaging
from thalweg.core.batches import Batches, examples_in
from thalweg.core.jaxprs import live
from thalweg.core.optimality import residual
from thalweg.core.oracle import Oracle
from thalweg.core.packed_loop import while_loop
from thalweg.core.problem import Problem
from thalweg.core.protocol import explain_state_change
from thalweg.core.solver import Solver, fits, ignored_by, unmet
from thalweg.core.status import Status
from thalweg.core.stop import GradNorm, Host, Stop, View, make_host, rules_of
from thalweg.core.trace import Trace, check_scalars, pack, unpack
from thalweg.core.tree import is_key, select
from thalweg.core.types import Evals, Info, Key, Params, Scalar, State, is_number, real

_NO_LIMIT = 2**31 - 1
"""Steps of a run that only its stop rule ends."""
_MOST_DOUBT = 1e6
"""A proxy of zero times an infinite doubt would be NaN, and never be confirmed again."""


class Carry(NamedTuple):
    """Everything that passes from one step to the next, and from one chunk to the next.

    - `step`: steps made. `state`: the solver's. `model_state`: running statistics of a stateful loss. `stop`: the stop
      rule's state. `status`: RUNNING, or why the run has ended. `host`: what the host told.
    - `point`: where the last row was measured (`x_t`), kept only on whole data: a converged run returns the very point
      whose certificate passed, and the best point is read from it after a replay.
    - `doubt`: multiplies a proxy optimality; it doubles whenever the certificate at the point refutes the proxy.
    - `average`: a running average of the iterates, where one was asked for.
    """

    step: Scalar
    state: State
    model_state: Any
    stop: State
    status: Scalar
    host: Host
    point: Any
    doubt: Any
    average: Any = None


def strong(leaf: Any) -> Any:
    """The same number without weak type: one weak leaf would compile every chunk twice."""
    return leaf if is_key(leaf) else jax.lax.convert_element_type(leaf, leaf.dtype)


def bind(problem: Problem, key: Key, step: Scalar, model_state: Any, batch: Any) -> tuple[Problem, Key]:
    """The problem as this step sees it, and the solver's own key. Step `t` uses `fold_in(key, t)`."""
    loss_key, solver_key = jax.random.split(jax.random.fold_in(key, step))
    data = problem.objective.data if batch is None else batch
    return problem.on(data, loss_key, model_state), solver_key


def _like_first(problem: Problem, batches: Any) -> Any:
    """Data of the shape of the first step's, on which a method may start; None for the problem's own."""
    if isinstance(batches, Batches):
        return jax.tree.map(lambda a: a[: batches.size], problem.objective.data)
    return jax.tree.map(lambda b: b[0], batches)


def shapes(data: Any, examples: int) -> Any:
    """The shapes of a batch of so many examples."""
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((examples, *a.shape[1:]), a.dtype), data)


def start(
    problem: Problem,
    solver: Solver,
    x0: Params,
    stop: Stop,
    key: Key | None = None,
    batches: Any = None,
    host: Host | None = None,
    average: Average | None = None,
) -> Carry:
    """The carry before the first step.

    - `problem`, `solver`, `stop`, `batches`: as in `iterate`. A method that looks at the data to start sees as many
      examples as a step does, the first ones.
    - `x0`: variables only (see `split`). `key`: `jax.random.key(0)` by default.
    - `host`: the host's numbers (clock, validation); by default those of a run that has just begun.
    - `average`: kept of the iterates `x_1, x_2, ...` and read by `carry.average.read()`.

    A ValueError where the solver needs what the problem lacks, or would ignore a part of it. Pure: it may be jitted and
    vmapped.
    """
    _check_solver(problem, solver, x0, batches)
    key = jax.random.key(0) if key is None else key
    x0 = jax.tree.map(jnp.asarray, x0)
    model_state = problem.objective.model_state
    here, _ = bind(problem, key, jnp.asarray(0, jnp.int32), model_state, _like_first(problem, batches))
    carry = Carry(
        step=jnp.asarray(0, jnp.int32),
        state=solver.init(here, x0),
        model_state=model_state,
        stop=stop.init(),
        status=jnp.asarray(Status.RUNNING.value, jnp.int32),
        host=jax.tree.map(jnp.asarray, make_host() if host is None else host),
        point=x0 if here.whole else None,
        doubt=real(1.0) if solver.proxy else None,
        average=None if average is None else Averaging(jax.tree.map(real, average), average.init(x0)),
    )
    return jax.tree.map(strong, carry)


def advance(
    problem: Problem, solver: Solver, stop: Stop, key: Key, carry: Carry, batch: Any = None
) -> tuple[Carry, Info]:
    """One turn of the loop, without control flow of its own."""
    here, solver_key = bind(problem, key, carry.step, carry.model_state, batch)
    state, info, seen = solver.step(here, carry.state, solver_key)
    info = info if here.whole else _by_batch(info)
    point = carry.state.x if seen is None else seen.x
    view = View(carry.step + 1, info, carry.state.x, state.x, carry.host, here.sign)
    stop_state, status, info, doubt, looked = _confirmed_verdict(here, stop, carry, view)
    status = jnp.where(status == Status.RUNNING.value, info.status, status)
    status = jnp.where(_lost(here, info), _loss_status(info.value), status).astype(jnp.int32)
    new = Carry(
        step=carry.step + 1,
        state=state,
        model_state=carry.model_state if seen is None or seen.model_state is None else seen.model_state,
        stop=stop_state,
        status=status,
        host=carry.host,
        point=None if carry.point is None else point if looked is None else select(looked, carry.state.x, point),
        doubt=doubt,
        average=None if carry.average is None else carry.average.after(state.x),
    )
    return jax.tree.map(strong, new), info._replace(status=status)


def _by_batch(info: Info) -> Info:
    """The numbers that depend on a batch's length as arrays: the trace must store them, the last batch is shorter."""
    evals = info.evals._replace(examples=jnp.asarray(info.evals.examples, jnp.int32))
    return info._replace(evals=evals, aux=jax.tree.map(jnp.asarray, info.aux))


def _lost(problem: Problem, info: Info) -> Scalar:
    """Whether a number that the method measured is not finite. A plain NaN means "not measured"."""
    value = ~jnp.isfinite(info.value) & (not is_number(info.value))
    gradient = jnp.isnan(info.optimality) & (problem.whole and not is_number(info.optimality))
    return value | gradient


def _loss_status(value: Scalar) -> Scalar:
    """A value of -inf is a problem without a minimum; NaN and +inf are a point where the objective is not defined."""
    return jnp.where(value == -jnp.inf, Status.DIVERGED.value, Status.NONFINITE.value)


class _Verdict(NamedTuple):
    """What the stop rule said of a step.

    `info` and `doubt` as they are after it; `looked`: whether value and residual were measured at `x_t` once more
    (None for methods that measure there anyway).
    """

    stop: State
    status: Scalar
    info: Info
    doubt: Any
    looked: Any


def _confirmed_verdict(problem: Problem, stop: Stop, carry: Carry, view: View) -> _Verdict:
    """The stop rule's verdict. One that rests on a proxy is confirmed by a measurement at `x_t` itself.

    So is the last row of a run (`host.look`): it describes the point that the user gets.
    """
    info = view.info
    if carry.doubt is None or carry.point is None:
        state, status = stop(carry.stop, view)
        return _Verdict(state, status, info, carry.doubt, None)
    suspected = _passes(stop, view._replace(info=info._replace(optimality=info.optimality * carry.doubt)))
    looked = suspected | (view.host.look > 0)
    nowhere = real(info.value), real(jnp.inf)
    value, confirmed = jax.lax.cond(looked, lambda: _value_and_residual(problem, view.x), lambda: nowhere)
    spent = problem.evals(value=looked.astype(jnp.int32), gradient=looked.astype(jnp.int32))
    evals = Evals(*(a + b for a, b in zip(info.evals, spent, strict=True)))
    info = info._replace(value=value, optimality=jnp.where(looked, confirmed, info.optimality), evals=evals)
    certain = view._replace(info=info._replace(optimality=confirmed))
    state, status = stop(carry.stop, certain)
    grown = jnp.minimum(2 * carry.doubt, _MOST_DOUBT)
    doubt = jnp.where(suspected & ~_passes(stop, certain), grown, carry.doubt)
    return _Verdict(state, status, info, doubt, looked)


def _value_and_residual(problem: Problem, x: Params) -> tuple[Scalar, Scalar]:
    """Value and first-order residual at `x`, with one gradient."""
    seen = problem.objective.evaluate(x)
    value = real(seen.value) + real(problem.nonsmooth.value(x))
    return value, residual(problem, x, seen.grad)


def _passes(stop: Stop, view: View) -> Scalar:
    """Whether some gradient test inside the stop rule is passed."""
    verdicts = [rule((), view)[1] != Status.RUNNING.value for rule in rules_of(stop) if isinstance(rule, GradNorm)]
    return functools.reduce(jnp.logical_or, verdicts, jnp.asarray(False))


def _traced_step(
    problem: Problem, solver: Solver, stop: Stop, key: Key, carry: Carry, batch: Any
) -> tuple[Any, Any, Any]:
    """`advance`, traced once: `one(*carry leaves, *batch leaves) -> (*carry leaves, row)`, the row, its layout."""
    structure = jax.tree.structure(carry)
    layouts = []

    def flat(carry_leaves, batch):
        given = jax.tree.unflatten(structure, carry_leaves)
        carry, info = advance(problem, solver, stop, key, given, batch)
        check_scalars(info)
        row, layout = pack(info)
        layouts.append(layout)
        if change := explain_state_change(given.state, carry.state):
            raise TypeError(
                f"{type(solver).__name__}.step changed its state: {change}. Either the step is wrong "
                "(tw.check_protocol finds out), or the carry was started on other batches: pass the "
                "same batches= to tw.start."
            )
        if jax.tree.structure(carry) != structure:
            raise TypeError("The carry was started without the batches that this call has: pass them to tw.start too.")
        return *jax.tree.leaves(carry), row

    jaxpr, shapes = jax.make_jaxpr(flat, return_shape=True)(jax.tree.leaves(carry), batch)
    return jaxpr_as_fun(live(jaxpr)), shapes[-1], layouts[-1]


def _check_solver(problem: Problem, solver: Solver, x: Params, batches: Any) -> None:
    """Refuses a solver that would solve another problem; `minimize` says the same, and names others."""
    offers = (problem if batches is None else problem.in_batches()).offers(x)
    if fits(solver, offers):
        return
    fault = f"would ignore {_listed(ignored_by(solver, offers))}"
    if missing := unmet(solver, offers):
        fault = f"needs {_listed(missing)}, which this problem does not offer"
    raise ValueError(f"{type(solver).__name__} {fault}; tw.minimize names the methods that fit.")


def _listed(oracles: frozenset[Oracle]) -> str:
    """Their names, in one order."""
    return ", ".join(sorted(oracle.value for oracle in oracles))


def iterate(
    problem: Problem,
    solver: Solver,
    carry: Carry,
    stop: Stop,
    key: Key,
    batches: Any = None,
    *,
    capacity: int,
    limit: Scalar | int | None = None,
    batched: bool = False,
) -> tuple[Carry, Trace]:
    """At most `limit` steps (default and maximum: `capacity`), fewer once the status is no longer RUNNING.

    - `problem`: a `Problem`. `solver`: a `Solver`; a rule goes into `tw.FirstOrder(rule)`. `carry`: from `tw.start`, or
      from an earlier call. `stop`: a stop rule, for instance `tw.Never()`. `key`: of all randomness; step `t` uses
      `fold_in(key, t)`.
    - `batches`: None for the problem's whole data; `tw.Batches(size)` for mini-batches of it; or a tree with a
      leading axis of batches, one for each step of this call. The carry must have been started with the same kind.
    - `capacity`: static; the number of rows of the trace. Rows that were not reached are zero.
    - `limit`: traced, so that a shorter chunk does not recompile.
    - `batched`: for use under `vmap`. A scan in which a finished lane holds still; under `vmap` a `while`
      selects every buffer, trace included, at every step. Its batches are all of one size.

    A ValueError as in `start`. Pure: jit, vmap and shard it freely.
    """
    _check_solver(problem, solver, carry.state.x, batches)
    after, rows, layout = iterate_packed(
        problem, solver, carry, stop, key, batches, capacity=capacity, limit=limit, batched=batched
    )
    return after, unpack(rows, layout, jnp.arange(capacity, dtype=jnp.int32) < after.step - carry.step)


def iterate_to_end(problem: Problem, solver: Solver, carry: Carry, stop: Stop, key: Key) -> Carry:
    """The loop without a trace, until the stop rule ends it: for a run that is a part of a larger program."""
    return iterate_packed(problem, solver, carry, stop, key, capacity=0, limit=_NO_LIMIT)[0]


class _Loop(NamedTuple):
    """What the loop carries: steps made in this call, the run's carry, the rows of the trace."""

    i: Scalar
    carry: Carry
    rows: jax.Array


def iterate_packed(
    problem: Problem,
    solver: Solver,
    carry: Carry,
    stop: Stop,
    key: Key,
    batches: Any = None,
    *,
    capacity: int,
    limit: Scalar | int | None = None,
    batched: bool = False,
) -> tuple[Carry, jax.Array, Any]:
    """`iterate` with the trace still packed, and the layout that unpacks it. A `capacity` of 0 records no trace."""
    limit = jnp.asarray(capacity if limit is None else limit).astype(jnp.int32)
    limit = jnp.minimum(limit, capacity) if capacity else limit
    data, zero = problem.objective.data, jnp.asarray(0, jnp.int32)
    memory = batches if isinstance(batches, Batches) else None
    if memory is not None and memory.short(examples_in(data)) and batched:
        raise ValueError(f"iterate(batched=True) needs batches of one size: give {memory!r} last='drop'.")
    sample = _like_first(problem, batches) if memory is None else shapes(data, memory.size)
    one, row, layout = _traced_step(problem, solver, stop, key, carry, sample)

    def batch(i: Scalar, step: Scalar) -> Any:
        return memory.take(data, key, step) if memory else jax.tree.map(lambda b: b[i], batches)

    loop = _Loop(zero, carry, jnp.zeros((capacity, *row.shape), row.dtype))
    if memory is None or not memory.short(examples_in(data)):
        loop = _repeat(one, batch, loop, limit, batched)
        return loop.carry, loop.rows, layout

    def last(i: Scalar, step: Scalar) -> Any:
        return memory.take(data, key, step, short=True)

    final, _, _ = _traced_step(problem, solver, stop, key, carry, shapes(data, memory.short(examples_in(data))))
    per_epoch, full = memory.steps(examples_in(data)), memory.full(examples_in(data))

    def epoch(loop: _Loop) -> _Loop:
        began = loop.i - loop.carry.step % per_epoch
        loop = _repeat(one, batch, loop, jnp.minimum(began + full, limit))
        return _repeat(final, last, loop, jnp.minimum(began + per_epoch, limit))

    loop = while_loop(lambda loop: _going(loop, limit), epoch, loop)
    return loop.carry, loop.rows, layout


def _going(loop: _Loop, limit: Scalar) -> Scalar:
    """Whether another step is to be made."""
    return (loop.i < limit) & (loop.carry.status == Status.RUNNING.value)


def _repeat(one: Callable, batch: Callable, loop: _Loop, limit: Scalar, batched: bool = False) -> _Loop:
    """Steps until `limit` steps of this call are made, or the status is no longer RUNNING.

    `batched`: a scan over the rows of the trace in which a finished run holds still, because under `vmap` a `while`
    would select the whole trace at every step.
    """

    def step(loop: _Loop) -> tuple[_Loop, jax.Array]:
        i, carry, rows = loop
        *leaves, row = one(*jax.tree.leaves(carry), *jax.tree.leaves(batch(i, carry.step)))
        return _Loop(i + 1, jax.tree.unflatten(jax.tree.structure(carry), leaves), rows), row

    def recorded(loop: _Loop) -> _Loop:
        after, row = step(loop)
        return after._replace(rows=jax.lax.dynamic_update_index_in_dim(loop.rows, row, loop.i, 0))

    def held(loop: _Loop, _: None) -> tuple[_Loop, jax.Array]:
        after, row = step(loop)
        alive = _going(loop, limit)
        return select(alive, after, loop), jnp.where(alive, row, jnp.zeros_like(row))

    if batched:
        after, rows = jax.lax.scan(held, loop._replace(rows=None), length=len(loop.rows))
        return after._replace(rows=rows)
    record = recorded if len(loop.rows) else lambda loop: step(loop)[0]
    return while_loop(lambda loop: _going(loop, limit), record, loop)
