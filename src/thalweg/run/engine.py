"""Runs chunks of a task: compiles on the first call, measures the pace, and so knows how long a chunk may be."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.batches import examples_in
from thalweg.core.compiled import Call, Program, program
from thalweg.core.fields import replace
from thalweg.core.iterate import Carry
from thalweg.core.status import Status
from thalweg.core.trace import Layout
from thalweg.core.tree import all_finite, is_key
from thalweg.core.types import Params
from thalweg.core.variables import is_sharded
from thalweg.run.programs import Programs, Rows, Segment, Task, run_chunk, run_step

_CHUNK_CAPACITY = 1024
"""Most steps of a chunk: enough that the host's work between chunks (0.1 ms) is small, and 0.1 MB of trace."""
_CHUNK_SECONDS = 0.2
"""A chunk's length in time, so that Ctrl-C and the progress bar answer."""
_FEW_ENTRIES = 100_000
"""Up to here NumPy tests an iterate in less time than a call takes."""
_FIRST_STEPS = 8
"""Length of the first chunk of a program whose speed is not yet known."""
_NO_ROWS = Layout(None, ())
"""The layout of a trace without rows."""


class Engine:
    """Runs chunks of a task.

    - `single`: dispatch every step from the host, with no control flow around it.
    - `fixed`: steps of a chunk, in place of the measured choice. `capacity`: most steps of a chunk.
    - `compile_seconds`: time spent on tracing and compiling so far.
    """

    def __init__(self, programs: Programs, *, fixed: int | None = None, capacity: int = _CHUNK_CAPACITY):
        self.fixed, self.capacity = fixed, capacity
        self.single, self.compile_seconds = False, 0.0
        self.programs, self.notes = programs, programs.notes

    def steps(self) -> int:
        """How many steps the next chunk may have, at the pace measured so far."""
        if self.fixed is not None:
            return min(self.fixed, self.capacity)
        pace = self.notes.get("pace")
        return _FIRST_STEPS if pace is None else max(1, int(min(_CHUNK_SECONDS / pace, self.capacity)))

    def learn(self, seconds: float, steps: int) -> None:
        """Remembers the pace, beside the program: the next run of the same program starts with it."""
        self.notes["pace"] = max(seconds, 1e-9) / max(steps, 1)

    def blank(self) -> Carry:
        """A carry of zeros in the shape of this program's own; the first time it is made counts as compiling."""
        began, known = time.perf_counter(), "blank" in self.notes
        carry = self.programs.blank()
        if not known:
            self.compile_seconds += time.perf_counter() - began
        return carry

    def advance(self, at: Segment, limit: int, meanwhile: Callable[[], None] | None = None) -> tuple[Carry, Rows]:
        """At most `limit` steps of a segment; `meanwhile` is called while the device computes."""
        if self.single:
            return self.dispatch(at, limit, meanwhile)
        if at.carry is None and any(map(is_sharded, jax.tree.leaves(at.x0))):
            at = at._replace(carry=self.begun(at))  # a blank carry would lie on one device
        fresh, now = np.asarray(at.carry is None), (self.blank() if at.carry is None else at.carry)
        room = self.capacity if at.stack is None else examples_in(at.stack)
        rest = (at.seed, at.x0, at.stack, now._replace(host=at.host))
        call = self.called(run_chunk, at.task, (*rest, fresh, np.asarray(limit, np.int32), room), room)
        if call.program.fresh:  # compile by a call of no steps, so that compiling and running are timed apart
            self.timed(call.program, call.arguments(*rest, np.asarray(False), np.asarray(0, np.int32)))
        after, rows = call.program.call(call.arguments(*rest, fresh, np.asarray(limit, np.int32)))
        if meanwhile is not None:
            meanwhile()
        data, counted = np.asarray(rows.data), np.asarray(rows.counts)
        after, counted = _tested(after, counted)
        return after, replace(rows, data=data, counts=counted)

    def begun(self, at: Segment) -> Carry:
        """The carry before the first step, by a program of its own."""
        return self.timed(self.programs.begin.program, self.programs.begin.arguments(at.seed, at.x0, at.stack, at.host))

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
        now, rows = (self.begun(at) if at.carry is None else at.carry)._replace(host=at.host), []
        for i in range(limit):
            short = _is_short(at.task, at.step + i)
            batch = None if at.stack is None else jax.tree.map(lambda b, i=i: b[i], at.stack)
            room = (short, None if batch is None else examples_in(batch))
            call = self.called(run_step, at.task, (at.seed, now, batch, short), room)
            now, row = self.timed(call.program, call.arguments(at.seed, now, batch))
            if meanwhile is not None:
                meanwhile()
            rows.append(row)
            if np.asarray(row.counts)[1] != Status.RUNNING:
                break
        now, counted = _tested(now, np.array([now.step, now.status]))
        data = np.stack([np.asarray(row.data) for row in rows]) if rows else np.empty((0, 0))
        return now, Rows(data, counted, rows[-1].layout if rows else _NO_ROWS)


def _tested(carry: Carry, counts: np.ndarray) -> tuple[Carry, np.ndarray]:
    """The carry with the status NONFINITE where the iterate is not finite: looked at once a chunk, not every step.

    Outside the program, where a few small arrays would cost a sixth of the time to compile. On whole data a run that
    has ended looks at its last point itself. On batches nothing else would.
    """
    status = int(counts[1])
    open_ended = status < Status.NONFINITE if carry.point is None else status == Status.RUNNING
    if not open_ended or _is_finite_tree(carry.state.x):
        return carry, counts
    lost = np.asarray(Status.NONFINITE.value, np.int32)
    return carry._replace(status=lost), np.array([counts[0], lost])


def _is_finite_tree(x: Params) -> bool:
    """Whether every entry is finite: by NumPy where there are few on one device, else on the devices."""
    leaves = jax.tree.leaves(x)
    if sum(leaf.size for leaf in leaves) > _FEW_ENTRIES or any(map(is_sharded, leaves)):
        found, dynamic = program(all_finite, x)
        return bool(found.call(dynamic))
    floating = (leaf for leaf in leaves if not is_key(leaf) and jnp.issubdtype(leaf.dtype, jnp.inexact))
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in floating)


def _is_short(task: Task, step: int) -> bool:
    """Whether this step sees its epoch's last batch, with fewer examples than the others."""
    if task.batches is None:
        return False
    n = task.problem.objective.examples
    return step % task.batches.steps(n) == task.batches.full(n)
