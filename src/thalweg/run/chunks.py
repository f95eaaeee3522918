"""The compiled programs that the driver calls: a chunk of steps, or a single step."""

import itertools
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import iterate as loop
from thalweg.core.average import Average
from thalweg.core.batches import Batches, examples_in
from thalweg.core.compiled import Call, Program, program
from thalweg.core.iterate import Carry, advance, start
from thalweg.core.objective import Latent
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Host, Stop, make_host
from thalweg.core.trace import Layout, pack
from thalweg.core.tree import all_finite, is_key, select
from thalweg.core.types import Key, Params

CAPACITY = 1024
"""Most steps of a chunk: enough that the host's work between chunks (0.1 ms) is small, and 0.1 MB of trace."""
CHUNK_SECONDS = 0.2
"""A chunk's length in time, so that Ctrl-C and the progress bar answer."""
FEW_ENTRIES = 100_000
"""Up to here NumPy tests an iterate in less time than a call takes."""
FIRST_STEPS = 8
"""Length of the first chunk of a program whose speed is not yet known."""


NO_ROWS = Layout(None, ())
"""The layout of a trace without rows."""


class Task(NamedTuple):
    """One run: everything that a compiled program is called with, besides the carry.

    `batches` are mini-batches of the problem's own data; None where a step sees all of them, or a stream's.
    `average` is kept of the iterates.
    """

    problem: Problem
    solver: Solver
    stop: Stop
    seed: Any
    x0: Params
    batches: Batches | None = None
    average: Average | None = None


class Segment(NamedTuple):
    """Where a chunk begins: all that is needed to run it, and to run it again.

    - `carry`: None for the start of the run. `stack`: a stream's batches for this chunk. `step`: steps made before.
    """

    task: Task
    carry: Carry | None
    host: Host
    step: int
    stack: Any = None


class Rows(eqx.Module):
    """Packed rows of the trace, the layout that unpacks them, and the carry's integers in one array.

    `counts` holds the step and the status: every read from the device costs as much as some steps.
    """

    data: Any
    counts: Any
    layout: Layout = eqx.field(static=True)


class Lanes(NamedTuple):
    """Many starts of one task: lane 0 from `x0`, the others normal around it, or drawn by a latent-variable model."""

    number: int
    spread: Any


def chunk(
    task: Task, lanes: Lanes | None, stack: Any, carry: Carry, fresh: Any, limit: Any, capacity: int
) -> tuple[Carry, Rows]:
    """Up to `limit` steps from `carry`, or from the start where `fresh`: one program serves a whole run."""
    if lanes is None:
        here = Lane(task, jax.random.key(task.seed), lambda: task.x0)
        return lane_chunk(here, stack, carry, fresh, limit, capacity)

    def one(lane, carry):
        return lane_chunk(lane_start(task, lanes, lane), stack, carry, fresh, limit, capacity, batched=True)

    axes: Any = Carry(*itertools.repeat(cast(Any, 0), len(Carry._fields)))._replace(host=cast(Any, None))
    return jax.vmap(one, in_axes=(0, axes))(jnp.arange(lanes.number, dtype=jnp.int32), carry)


class Lane(NamedTuple):
    """One of the runs of a task: its own key, and its own start."""

    task: Task
    key: Key
    begin: Callable[[], Params]

    def start(self, stack: Any, host: Host) -> Carry:
        """The carry before the first step."""
        problem, solver, stop, _, _, memory, average = self.task
        batches = memory if stack is None else stack
        return start(problem, solver, self.begin(), stop, self.key, batches, host, average)


def lane_chunk(
    lane: Lane, stack: Any, carry: Carry, fresh: Any, limit: Any, capacity: int, batched: bool = False
) -> tuple[Carry, Rows]:
    """`chunk` of one lane."""
    problem, solver, stop, _, _, memory, _ = lane.task
    batches = memory if stack is None else stack
    carry = jax.lax.cond(fresh, lambda: lane.start(stack, carry.host), lambda: carry)
    carry, rows, layout = loop.run(
        problem, solver, carry, stop, lane.key, batches, capacity=capacity, limit=limit, batched=batched
    )
    carry = guard(carry) if batched else carry
    return carry, Rows(rows, counts(carry), layout)


def counts(carry: Carry) -> Any:
    """Step and status."""
    return jnp.stack([carry.step, carry.status])


def lane_start(task: Task, lanes: Lanes, lane: Any) -> Lane:
    """The lane of that number."""
    key = jax.random.fold_in(jax.random.key(task.seed), lane)

    def begin():
        own, objective = jax.random.fold_in(key, 2**31), task.problem.objective
        if isinstance(objective, Latent):
            given = jax.tree.map(jnp.asarray, task.x0)
            drawn = jax.tree.map(lambda new, old: new.astype(old.dtype), objective.draw(own), given)
            return select(lane == 0, given, drawn)
        leaves, treedef = jax.tree.flatten(task.x0)
        keys = jax.random.split(own, len(leaves))
        x = treedef.unflatten([scatter(leaf, k) for leaf, k in zip(leaves, keys, strict=True)])
        return x if task.problem.bounds is None else task.problem.bounds.project(x)

    def scatter(leaf, k):
        leaf = jnp.asarray(leaf)
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return leaf
        noise = jax.random.normal(k, leaf.shape, leaf.dtype) * jnp.maximum(jnp.abs(leaf), 1)
        return leaf + jnp.where(lane == 0, 0.0, lanes.spread).astype(leaf.dtype) * noise

    return Lane(task, key, begin)


def first(task: Task, lanes: Lanes | None, stack: Any, host: Host) -> Carry:
    """The start alone: for single dispatch, and for the shape of a carry."""
    if lanes is None:
        return Lane(task, jax.random.key(task.seed), lambda: task.x0).start(stack, host)
    return jax.vmap(lambda lane: lane_start(task, lanes, lane).start(stack, host))(
        jnp.arange(lanes.number, dtype=jnp.int32)
    )


def single(task: Task, carry: Carry, batch: Any, short: bool) -> tuple[Carry, Rows]:
    """One step without control flow around it; `short` says that it sees its epoch's last, shorter batch."""
    problem, solver, stop, seed, _, memory, _ = task
    key = jax.random.key(seed)
    if memory is not None:
        batch = memory.take(problem.objective.data, key, carry.step, short)
    carry, info = advance(problem, solver, stop, key, carry, batch)
    row, layout = pack(info)
    return carry, Rows(row, counts(carry), layout)


def guard(carry: Carry) -> Carry:
    """Once a chunk the whole iterate of a lane is tested, not only the value."""
    lost = (carry.status == Status.RUNNING.value) & ~all_finite(carry.state.x)
    return carry._replace(status=jnp.where(lost, Status.NONFINITE.value, carry.status).astype(jnp.int32))


def guarded(carry: Carry, counts: np.ndarray) -> tuple[Carry, np.ndarray]:
    """The same for a single run, outside its program, where a few small arrays cost a sixth of the time to compile.

    On whole data a run that has ended looks at its last point itself. On batches nothing else would.
    """
    status = counts[1]
    open_ended = status < Status.NONFINITE if carry.point is None else status == Status.RUNNING
    if not open_ended or is_finite(carry.state.x):
        return carry, counts
    lost = np.asarray(Status.NONFINITE.value, np.int32)
    return carry._replace(status=lost), np.array([counts[0], lost])


def is_finite(x: Params) -> bool:
    """Whether every entry is finite: by NumPy where there are few, on the device where there are many."""
    if sum(leaf.size for leaf in jax.tree.leaves(x)) > FEW_ENTRIES:
        found, dynamic = program(all_finite, x)
        return bool(found.call(dynamic))
    leaves = [leaf for leaf in jax.tree.leaves(x) if not is_key(leaf) and jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in leaves)


def zero(shape: Any) -> Any:
    """A stand-in of the given shape and dtype."""
    if is_key(shape):
        return jax.random.wrap_key_data(jnp.zeros((*shape.shape, 2), jnp.uint32))
    return np.zeros(shape.shape, shape.dtype)


class Engine:
    """Runs chunks of a task: compiles on the first call, measures the pace, and so knows how long a chunk may be.

    - `single`: dispatch every step from the host, with no control flow around it.
    - `fixed`: steps of a chunk, in place of the measured choice. `capacity`: most steps of a chunk.
    - `lanes`: many starts at once. `compile_seconds`: time spent on tracing and compiling so far.
    """

    def __init__(
        self, task: Task, *, stack: Any = None, fixed: int | None = None, capacity: int = CAPACITY, lanes: Any = None
    ):
        self.fixed, self.capacity, self.lanes = fixed, capacity, lanes
        self.single, self.compile_seconds = False, 0.0
        self.calls: dict[Any, Call] = {}
        self.begin, self.dynamic = program(first, task, lanes, stack, make_host())
        self.notes = self.begin.notes

    def steps(self) -> int:
        """How many steps the next chunk may have, at the pace measured so far."""
        if self.fixed is not None:
            return min(self.fixed, self.capacity)
        pace = self.notes.get("pace")
        return FIRST_STEPS if pace is None else int(np.clip(CHUNK_SECONDS / pace, 1, self.capacity))

    def learn(self, seconds: float, steps: int) -> None:
        """Remembers the pace, beside the program: the next run of the same program starts with it."""
        self.notes["pace"] = max(seconds, 1e-9) / max(steps, 1)

    def blank(self) -> Carry:
        """A carry of zeros in the shape of this program's own."""
        if "blank" not in self.notes:
            began = time.perf_counter()
            self.notes["blank"] = jax.device_put(jax.tree.map(zero, jax.eval_shape(self.begin.call, self.dynamic)))
            self.compile_seconds += time.perf_counter() - began
        return self.notes["blank"]

    def advance(self, at: Segment, limit: int, meanwhile: Callable[[], None] | None = None) -> tuple[Carry, Rows]:
        """At most `limit` steps of a segment; `meanwhile` is called while the device computes."""
        if self.single:
            return self.dispatch(at, limit, meanwhile)
        fresh, now = np.asarray(at.carry is None), (self.blank() if at.carry is None else at.carry)
        room = self.capacity if at.stack is None else rows_in(at.stack)
        rest = (self.lanes, at.stack, now._replace(host=at.host))
        call = self.called(chunk, at.task, (*rest, fresh, np.asarray(limit, np.int32), room), room)
        if call.program.fresh:  # compile by a call of no steps, so that compiling and running are timed apart
            self.timed(call.program, call.arguments(*rest, np.asarray(False), np.asarray(0, np.int32)))
        after, rows = call.program.call(call.arguments(*rest, fresh, np.asarray(limit, np.int32)))
        if meanwhile is not None:
            meanwhile()
        data, counted = np.asarray(rows.data), np.asarray(rows.counts)
        if self.lanes is None:
            after, counted = guarded(after, counted)
        return after, Rows(data, counted, rows.layout)

    def called(self, function: Callable, task: Task, rest: tuple, room: Any) -> Call:
        """The program of `function`, found once for a task (a callback may change its numbers) and a size of stack."""
        call = self.calls.get((function, room))
        if call is None or call.first is not task:
            call = self.calls[function, room] = Call(function, task, *rest)
        return call

    def timed(self, found: Program, dynamic: list[Any]) -> Any:
        """Calls a program; a first call counts as compiling."""
        if not found.fresh:
            return found.call(dynamic)
        began = time.perf_counter()
        out = jax.block_until_ready(found.call(dynamic))
        found.fresh = False
        self.compile_seconds += time.perf_counter() - began
        return out

    def dispatch(self, at: Segment, limit: int, meanwhile: Callable[[], None] | None) -> tuple[Carry, Rows]:
        """The same steps, each a call of its own."""
        task = at.task
        now = self.timed(*program(first, task, None, at.stack, at.host)) if at.carry is None else at.carry
        now, rows = now._replace(host=at.host), []
        for i in range(limit):
            short = is_short(task, at.step + i)
            rest = (now, None if at.stack is None else jax.tree.map(lambda b, i=i: b[i], at.stack))
            call = self.called(
                single, task, (*rest, short), (short, None if at.stack is None else examples_in(rest[1]))
            )
            now, row = self.timed(call.program, call.arguments(*rest))
            if meanwhile is not None:
                meanwhile()
            rows.append(row)
            if np.asarray(row.counts)[1] != Status.RUNNING:
                break
        now, counted = guarded(now, np.array([now.step, now.status]))
        data = np.stack([np.asarray(row.data) for row in rows]) if rows else np.empty((0, 0))
        return now, Rows(data, counted, rows[-1].layout if rows else NO_ROWS)


def rows_in(stack: Any) -> int:
    """Room in a stack of batches."""
    return jax.tree.leaves(stack)[0].shape[0]


def is_short(task: Task, step: int) -> bool:
    """Whether this step sees its epoch's last batch, with fewer examples than the others."""
    if task.batches is None:
        return False
    n = task.problem.objective.examples
    return step % task.batches.steps(n) == task.batches.full(n)
