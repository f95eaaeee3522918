"""The compiled programs that the driver calls: a chunk of steps, or a single step."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core import iterate as loop
from thalweg.core.average import Average
from thalweg.core.batches import Batches, examples_in
from thalweg.core.compiled import Call, Program, Size, program
from thalweg.core.fields import replace
from thalweg.core.iterate import Carry, advance, start
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Host, Stop, make_host
from thalweg.core.trace import Layout, pack
from thalweg.core.tree import all_finite, is_key
from thalweg.core.types import Params

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
    """What is run: the same object in every run of one plan, so that its leaves are looked at once.

    `batches` are mini-batches of the problem's own data; None where a step sees all of them, or a stream's.
    `average` is kept of the iterates.
    """

    problem: Problem
    solver: Solver
    stop: Stop
    batches: Batches | None = None
    average: Average | None = None


class Origin(NamedTuple):
    """Where a run begins: the seed of all its randomness, and the variables."""

    seed: Any
    x0: Params


class Segment(NamedTuple):
    """Where a chunk begins: all that is needed to run it, and to run it again.

    - `carry`: None for the start of the run. `stack`: a stream's batches for this chunk. `step`: steps made before.
    """

    task: Task
    origin: Origin
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


def chunk(
    task: Task, origin: Origin, stack: Any, carry: Carry, fresh: Any, limit: Any, capacity: int
) -> tuple[Carry, Rows]:
    """Up to `limit` steps from `carry`, or from the start where `fresh`: one program serves a whole run."""
    problem, solver, stop, memory, _ = task
    key, batches = jax.random.key(origin.seed), memory if stack is None else stack
    carry = jax.lax.cond(fresh, lambda: first(task, origin, stack, carry.host), lambda: carry)
    carry, rows, layout = loop.run(problem, solver, carry, stop, key, batches, capacity=capacity, limit=limit)
    return carry, Rows(rows, counts(carry), layout)


def counts(carry: Carry) -> Any:
    """Step and status."""
    return jnp.stack([carry.step, carry.status])


def first(task: Task, origin: Origin, stack: Any, host: Host) -> Carry:
    """The start alone: for single dispatch, and for the shape of a carry."""
    problem, solver, stop, memory, average = task
    batches = memory if stack is None else stack
    return start(problem, solver, origin.x0, stop, jax.random.key(origin.seed), batches, host, average)


def single(task: Task, seed: Any, carry: Carry, batch: Any, short: bool) -> tuple[Carry, Rows]:
    """One step without control flow around it; `short` says that it sees its epoch's last, shorter batch."""
    problem, solver, stop, memory, _ = task
    key = jax.random.key(seed)
    if memory is not None:
        batch = memory.take(problem.objective.data, key, carry.step, short)
    carry, info = advance(problem, solver, stop, key, carry, batch)
    row, layout = pack(info)
    return carry, Rows(row, counts(carry), layout)


def guarded(carry: Carry, counts: np.ndarray) -> tuple[Carry, np.ndarray]:
    """Once a chunk the whole iterate is tested, not only the value.

    Outside the program, where a few small arrays would cost a sixth of the time to compile.
    On whole data a run that has ended looks at its last point itself. On batches nothing else would.
    """
    status = int(counts[1])
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


class Programs:
    """The programs of a task, found once: later runs of the same plan need not look at its leaves again.

    `begin` makes a carry; `notes` are beside it: facts about the loss, a blank carry, the pace.
    """

    def __init__(self, task: Task, origin: Origin, stack: Any = None):
        rest = (origin, stack, make_host())
        self.begin = Call(first, task, *rest)
        self.dynamic, self.notes = self.begin.arguments(*rest), self.begin.program.notes
        self.calls: dict[Any, Call] = {}

    def call(self, function: Callable, task: Task, rest: tuple, room: Any) -> Call:
        """The program of `function` for a task (a callback may change its numbers) and a size of stack."""
        found = self.calls.get((function, room))
        if found is None or found.first is not task:
            counted = "facts" in self.notes and self.notes["facts"].straight
            found = self.calls[function, room] = Call(function, task, *rest, size=Size(counted=counted))
        return found


class Engine:
    """Runs chunks of a task: compiles on the first call, measures the pace, and so knows how long a chunk may be.

    - `single`: dispatch every step from the host, with no control flow around it.
    - `fixed`: steps of a chunk, in place of the measured choice. `capacity`: most steps of a chunk.
    - `compile_seconds`: time spent on tracing and compiling so far.
    """

    def __init__(self, programs: Programs, *, fixed: int | None = None, capacity: int = CAPACITY):
        self.fixed, self.capacity = fixed, capacity
        self.single, self.compile_seconds = False, 0.0
        self.programs, self.notes = programs, programs.notes

    def steps(self) -> int:
        """How many steps the next chunk may have, at the pace measured so far."""
        if self.fixed is not None:
            return min(self.fixed, self.capacity)
        pace = self.notes.get("pace")
        return FIRST_STEPS if pace is None else max(1, int(min(CHUNK_SECONDS / pace, self.capacity)))

    def learn(self, seconds: float, steps: int) -> None:
        """Remembers the pace, beside the program: the next run of the same program starts with it."""
        self.notes["pace"] = max(seconds, 1e-9) / max(steps, 1)

    def blank(self) -> Carry:
        """A carry of zeros in the shape of this program's own."""
        if "blank" not in self.notes:
            began = time.perf_counter()
            shapes = jax.eval_shape(self.programs.begin.program.call, self.programs.dynamic)
            self.notes["blank"] = jax.device_put(jax.tree.map(zero, shapes))
            self.compile_seconds += time.perf_counter() - began
        return self.notes["blank"]

    def advance(self, at: Segment, limit: int, meanwhile: Callable[[], None] | None = None) -> tuple[Carry, Rows]:
        """At most `limit` steps of a segment; `meanwhile` is called while the device computes."""
        if self.single:
            return self.dispatch(at, limit, meanwhile)
        fresh, now = np.asarray(at.carry is None), (self.blank() if at.carry is None else at.carry)
        room = self.capacity if at.stack is None else rows_in(at.stack)
        rest = (at.origin, at.stack, now._replace(host=at.host))
        call = self.called(chunk, at.task, (*rest, fresh, np.asarray(limit, np.int32), room), room)
        if call.program.fresh:  # compile by a call of no steps, so that compiling and running are timed apart
            self.timed(call.program, call.arguments(*rest, np.asarray(False), np.asarray(0, np.int32)))
        after, rows = call.program.call(call.arguments(*rest, fresh, np.asarray(limit, np.int32)))
        if meanwhile is not None:
            meanwhile()
        data, counted = np.asarray(rows.data), np.asarray(rows.counts)
        after, counted = guarded(after, counted)
        return after, replace(rows, data=data, counts=counted)

    def called(self, function: Callable, task: Task, rest: tuple, room: Any) -> Call:
        """The program of a function; what choosing its options takes, a trace of the step, counts as compiling."""
        began = time.perf_counter()
        call = self.programs.call(function, task, rest, room)
        if call.program.fresh:
            self.compile_seconds += time.perf_counter() - began
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
        now = self.timed(*program(first, task, at.origin, at.stack, at.host)) if at.carry is None else at.carry
        now, rows = now._replace(host=at.host), []
        for i in range(limit):
            short = is_short(task, at.step + i)
            rest = (
                at.origin.seed,
                now,
                None if at.stack is None else jax.tree.map(lambda b, i=i: b[i], at.stack),
            )
            room = (short, None if at.stack is None else examples_in(rest[2]))
            call = self.called(single, task, (*rest, short), room)
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
