"""The programs of a run: what is compiled, for which arguments, and what is remembered beside it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.average import Average
from thalweg.core.batches import Batches
from thalweg.core.compiled import Call, Program, Size
from thalweg.core.iterate import Carry, advance, iterate_packed, start
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.stop import Host, Stop, make_host
from thalweg.core.trace import Layout, pack
from thalweg.core.tree import is_key
from thalweg.core.types import Params


class Task(NamedTuple):
    """What is run: the same object in every run of one plan, so that its leaves are looked at once.

    - `batches`: mini-batches of the problem's own data; None where a step sees all of them, or a stream's.
    - `average`: kept of the iterates.
    """

    problem: Problem
    solver: Solver
    stop: Stop
    batches: Batches | None = None
    average: Average | None = None


class Segment(NamedTuple):
    """Where a chunk begins: all that is needed to run it, and to run it again.

    - `seed`: of all randomness. `x0`: the variables at the start of the run.
    - `carry`: None for the start of the run. `stack`: a stream's batches for this chunk. `step`: steps made before.
    """

    task: Task
    seed: Any
    x0: Params
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


def _begin_run(task: Task, seed: Any, x0: Params, stack: Any, host: Host) -> Carry:
    """The start alone: for single dispatch, and for the shape of a carry."""
    problem, solver, stop, memory, average = task
    batches = memory if stack is None else stack
    return start(problem, solver, x0, stop, jax.random.key(seed), batches, host, average)


def run_chunk(
    task: Task, seed: Any, x0: Params, stack: Any, carry: Carry, fresh: Any, limit: Any, capacity: int
) -> tuple[Carry, Rows]:
    """Up to `limit` steps from `carry`, or from the start where `fresh`: one program serves a whole run."""
    problem, solver, stop, memory, _ = task
    key, batches = jax.random.key(seed), memory if stack is None else stack
    carry = jax.lax.cond(fresh, lambda: _begin_run(task, seed, x0, stack, carry.host), lambda: carry)
    carry, rows, layout = iterate_packed(problem, solver, carry, stop, key, batches, capacity=capacity, limit=limit)
    return carry, Rows(rows, _step_and_status(carry), layout)


def run_step(task: Task, seed: Any, carry: Carry, batch: Any, short: bool) -> tuple[Carry, Rows]:
    """One step without control flow around it; `short` says that it sees its epoch's last, shorter batch."""
    problem, solver, stop, memory, _ = task
    key = jax.random.key(seed)
    if memory is not None:
        batch = memory.take(problem.objective.data, key, carry.step, short)
    carry, info = advance(problem, solver, stop, key, carry, batch)
    row, layout = pack(info)
    return carry, Rows(row, _step_and_status(carry), layout)


def _step_and_status(carry: Carry) -> Any:
    """The two integers that the host reads after every call, as one array."""
    return jnp.stack([carry.step, carry.status])


def blank(begin: Program, arguments: list[Any]) -> Any:
    """Zeros in the shape of what the program `begin` returns, which is not run."""
    return jax.device_put(jax.tree.map(_zeros, jax.eval_shape(begin.call, arguments)))


def _zeros(shape: Any) -> Any:
    """An array of zeros of the given shape and dtype; a key where random keys stand."""
    if is_key(shape):
        return jax.random.wrap_key_data(jnp.zeros((*shape.shape, 2), jnp.uint32))
    return np.zeros(shape.shape, shape.dtype)


class Programs:
    """The programs of a task, found once: later runs of the same plan need not look at its leaves again.

    `begin` makes a carry; `notes` are beside it: facts about the loss, a blank carry, the pace.
    """

    def __init__(self, task: Task, seed: Any, x0: Params, stack: Any = None):
        rest = (seed, x0, stack, make_host())
        self.begin = Call(_begin_run, task, *rest)
        self.arguments, self.notes = self.begin.arguments(*rest), self.begin.program.notes
        self.calls: dict[Any, Call] = {}

    def call(self, function: Callable, task: Task, rest: tuple, room: Any) -> Call:
        """The program of `function` for a task (a callback may change its numbers) and a size of stack."""
        found = self.calls.get((function, room))
        if found is None or found.first is not task:
            counted = "facts" in self.notes and self.notes["facts"].straight
            found = self.calls[function, room] = Call(function, task, *rest, size=Size(counted=counted))
        return found

    def blank(self) -> Carry:
        """A carry of zeros in the shape of this task's own."""
        if "blank" not in self.notes:
            self.notes["blank"] = blank(self.begin.program, self.arguments)
        return self.notes["blank"]
