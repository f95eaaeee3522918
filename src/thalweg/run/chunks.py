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
from thalweg.core.compiled import Program, program
from thalweg.core.iterate import Carry, advance, start
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import Host, Stop
from thalweg.core.trace import Layout, pack
from thalweg.core.tree import all_finite, is_key
from thalweg.core.types import Key, Params

CAPACITY = 1024
"""Most steps of a chunk: enough that the host's work between chunks (0.1 ms) is small, and 0.1 MB of trace."""
CHUNK_SECONDS = 0.2
"""A chunk's length in time, so that Ctrl-C and the progress bar answer."""
FIRST_STEPS = 8
"""Length of the first chunk of a program whose speed is not yet known."""


class Task(NamedTuple):
    """One run: everything that a compiled program is called with, besides the carry."""

    problem: Problem
    solver: Solver
    stop: Stop
    seed: Any
    x0: Params


class Rows(eqx.Module):
    """Packed rows of the trace, the layout that unpacks them, and the carry's integers in one array.

    `counts` holds the step and the status: every read from the device costs as much as some steps.
    """

    data: Any
    counts: Any
    layout: Layout = eqx.field(static=True)


class Lanes(NamedTuple):
    """Many starts of one task: lane 0 from `x0`, the others normal around it."""

    number: int
    spread: Any


def chunk(task: Task, lanes: Lanes | None, carry: Carry, fresh: Any, limit: Any, capacity: int) -> tuple[Carry, Rows]:
    """Up to `limit` steps from `carry`, or from the start where `fresh`: one program serves a whole run."""
    if lanes is None:
        return lane_chunk(task, jax.random.key(task.seed), lambda: task.x0, carry, fresh, limit, capacity)

    def one(lane, carry):
        key, begin = lane_start(task, lanes, lane)
        return lane_chunk(task, key, begin, carry, fresh, limit, capacity, batched=True)

    axes: Any = Carry(*itertools.repeat(cast(Any, 0), len(Carry._fields)))._replace(host=cast(Any, None))
    return jax.vmap(one, in_axes=(0, axes))(jnp.arange(lanes.number, dtype=jnp.int32), carry)


def lane_chunk(
    task: Task, key: Key, begin: Callable, carry: Carry, fresh: Any, limit: Any, capacity: int, batched: bool = False
) -> tuple[Carry, Rows]:
    """`chunk` with its own key and start."""
    problem, solver, stop, _, _ = task
    carry = jax.lax.cond(fresh, lambda: start(problem, solver, begin(), stop, key, carry.host), lambda: carry)
    carry, rows, layout = loop.run(problem, solver, carry, stop, key, capacity=capacity, limit=limit, batched=batched)
    carry = guard(carry)
    return carry, Rows(rows, counts(carry), layout)


def counts(carry: Carry) -> Any:
    """Step and status."""
    return jnp.stack([carry.step, carry.status])


def lane_start(task: Task, lanes: Lanes, lane: Any) -> tuple[Key, Callable[[], Params]]:
    """A lane's key and its start."""
    key = jax.random.fold_in(jax.random.key(task.seed), lane)

    def begin():
        leaves, treedef = jax.tree.flatten(task.x0)
        keys = jax.random.split(jax.random.fold_in(key, 2**31), len(leaves))
        return treedef.unflatten([scatter(leaf, k) for leaf, k in zip(leaves, keys, strict=True)])

    def scatter(leaf, k):
        leaf = jnp.asarray(leaf)
        noise = jax.random.normal(k, leaf.shape, leaf.dtype) * jnp.maximum(jnp.abs(leaf), 1)
        return leaf + jnp.where(lane == 0, 0.0, lanes.spread).astype(leaf.dtype) * noise

    return key, begin


def first(task: Task, lanes: Lanes | None, host: Host) -> Carry:
    """The start alone: for single dispatch, and for the shape of a carry."""
    problem, solver, stop, seed, x0 = task
    if lanes is None:
        return start(problem, solver, x0, stop, jax.random.key(seed), host)

    def one(lane):
        key, begin = lane_start(task, lanes, lane)
        return start(problem, solver, begin(), stop, key, host)

    return jax.vmap(one)(jnp.arange(lanes.number, dtype=jnp.int32))


def single(task: Task, carry: Carry) -> tuple[Carry, Rows]:
    """One step without control flow around it."""
    carry, info = advance(task.problem, task.solver, task.stop, jax.random.key(task.seed), carry)
    row, layout = pack(info)
    return carry, Rows(row, counts(carry), layout)


def guard(carry: Carry) -> Carry:
    """Once a chunk the whole iterate is tested, not only the value."""
    lost = (carry.status == Status.RUNNING.value) & ~all_finite(carry.state.x)
    return carry._replace(status=jnp.where(lost, Status.NONFINITE.value, carry.status).astype(jnp.int32))


def host_values(*values: float) -> Host:
    """The host's numbers in the trace's dtype, never weakly typed."""
    dtype = jnp.result_type(float)
    return Host(*(np.asarray(v, dtype) for v in values))


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

    def __init__(self, task: Task, *, fixed: int | None = None, capacity: int = CAPACITY, lanes: Lanes | None = None):
        self.fixed, self.capacity, self.lanes = fixed, capacity, lanes
        self.single, self.compile_seconds = False, 0.0
        self.begin, self.dynamic = program(first, task, lanes, host_values(0.0, np.inf, 0.0, 1.0))
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

    def advance(self, task: Task, carry: Carry | None, host: Host, limit: int) -> tuple[Carry, Rows]:
        """At most `limit` steps from `carry`, or from the start where it is None."""
        if self.single:
            return self.dispatch(task, carry, host, limit)
        fresh, now = np.asarray(carry is None), (self.blank() if carry is None else carry)._replace(host=host)
        found, dynamic = program(chunk, task, self.lanes, now, fresh, np.asarray(limit, np.int32), self.capacity)
        if found.fresh:  # compile by a call of no steps, so that compiling and running are timed apart
            nothing = np.asarray(False), np.asarray(0, np.int32)
            self.timed(*program(chunk, task, self.lanes, now, *nothing, self.capacity))
        after, rows = found.call(dynamic)
        return after, Rows(np.asarray(rows.data), np.asarray(rows.counts), rows.layout)

    def timed(self, found: Program, dynamic: list[Any]) -> Any:
        """Calls a program; a first call counts as compiling."""
        if not found.fresh:
            return found.call(dynamic)
        began = time.perf_counter()
        out = jax.block_until_ready(found.call(dynamic))
        found.fresh = False
        self.compile_seconds += time.perf_counter() - began
        return out

    def dispatch(self, task: Task, carry: Carry | None, host: Host, limit: int) -> tuple[Carry, Rows]:
        """The same steps, each a call of its own."""
        now = self.timed(*program(first, task, None, host)) if carry is None else carry
        now, rows = now._replace(host=host), []
        for _ in range(limit):
            now, row = self.timed(*program(single, task, now))
            rows.append(row)
            if np.asarray(row.counts)[1] != Status.RUNNING:
                break
        data = np.stack([np.asarray(row.data) for row in rows])
        now = self.timed(*program(guard, now))
        return now, Rows(data, np.array([now.step, now.status]), rows[-1].layout)
