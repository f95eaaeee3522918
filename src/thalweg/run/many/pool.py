"""Many runs at once: a pool of lanes in one compiled program, and a queue of runs.

The program makes turns of all its lanes (`core.lanes`). A lane whose run has ended holds still and costs as much as
one that runs, so the program comes back once an eighth of them are done, and the host gives them the next runs of the
queue. The width does not depend on how many runs there are: a thousand compile no longer than a few hundred do, and
the memory of a method for all lanes stays in the processor's cache.
"""

import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.compiled import Call, Program, Size, program
from thalweg.core.fields import replace
from thalweg.core.iterate import Carry
from thalweg.core.lanes import Case, Lane, LaneBest, Phase, begin_lane, take_turns, turn_lane
from thalweg.core.stop import Host, make_host
from thalweg.core.trace import Layout
from thalweg.core.tree import gather, is_key, select
from thalweg.core.types import Params
from thalweg.run.programs import Task, blank

LANES_ON_CPU = 256
"""Most lanes on a CPU."""
_LANES_ON_ACCELERATOR = 16_384
"""Most lanes on an accelerator."""
_TURNS = 64
"""Most turns of a call."""
_RELIEF = 8
"""The program comes back once one in so many lanes is done and runs wait."""


class Runs(NamedTuple):
    """The runs of a pool: run `i` starts from `starts[i]` with the key `fold_in(seed, i)`.

    - `task`: what they have in common. `number`: how many there are.
    - `data`, `numbers`: with a leading axis of runs where each has its own; numbers are the leaves of the solver in
      their order, None for those that are shared.
    - `seed`: one for all, or an array with one for each, which is then the run's own key.
    - `per_epoch`: steps of an epoch, None where there are none.
    """

    task: Task
    seed: Any
    starts: Params
    number: int
    data: Any = None
    numbers: tuple[Any, ...] = ()
    per_epoch: float | None = 1.0


class Slots(NamedTuple):
    """What the lanes run: the number of the run, its seed (None where all share one), start, data, and own numbers."""

    number: Any
    seed: Any
    start: Params
    data: Any
    numbers: tuple[Any, ...]


class EndedSome(NamedTuple):
    """Runs that ended: their numbers, last carries and best points."""

    numbers: np.ndarray
    carry: Carry
    best: LaneBest


class EndedRuns(NamedTuple):
    """All runs, in order: carries and best points with a leading axis, and their rows.

    The rows of run `i` are `rows[at[i]:at[i + 1]]`, the look at its last point included.
    """

    carry: Carry
    best: LaneBest
    rows: np.ndarray
    at: np.ndarray
    layout: Layout
    compile_seconds: float


class Turns(eqx.Module):
    """The rows of some turns, which of them closed a step, where the lanes stand then, and the layout of a row."""

    rows: Any
    closed: Any
    phase: Any
    layout: Layout = eqx.field(static=True)


def _case_of(task: Task, seed: Any, slot: Slots) -> Case:
    """What a lane runs: the task with the run's own data and numbers."""
    problem, solver, stop, *_ = task
    if slot.data is not None:
        problem = replace(problem, objective=problem.objective.on(slot.data, None, problem.objective.model_state))
    if slot.numbers:
        leaves, structure = jax.tree.flatten(solver)
        own = [leaf if mine is None else mine for leaf, mine in zip(leaves, slot.numbers, strict=True)]
        solver = jax.tree.unflatten(structure, own)
    key = jax.random.key(seed if slot.seed is None else slot.seed)
    return Case(problem, solver, stop, jax.random.fold_in(key, slot.number) if slot.seed is None else key, task.average)


def _begin_lanes(task: Task, seed: Any, slots: Slots, host: Host) -> Lane:
    """The lanes before their first turn."""
    return jax.vmap(lambda slot: begin_lane(_case_of(task, seed, slot), slot.start, host))(slots)


def _turn_lanes(
    task: Task, seed: Any, slots: Slots, lanes: Lane, host: Host, fresh: Any, enough: Any
) -> tuple[Lane, Turns]:
    """Starts the runs of the lanes that are `fresh`, and makes turns of all lanes until `enough` are over."""

    def fill() -> Lane:
        return jax.vmap(select)(fresh, _begin_lanes(task, seed, slots, host), lanes)

    now = jax.lax.cond(jnp.any(fresh), fill, lambda: lanes)
    numbers = jnp.broadcast_to(host.numbers, now.carry.host.numbers.shape)
    now = now._replace(carry=now.carry._replace(host=Host(numbers)))
    each = jax.vmap(lambda slot, lane: turn_lane(_case_of(task, seed, slot), lane))
    after, rows, closed, layout = take_turns(lambda lanes: each(slots, lanes), now, _TURNS, enough)
    return after, Turns(rows, closed, after.phase, layout)


def lanes_for(number: int) -> int:
    """Lanes for so many runs: a power of two, so that few programs are compiled."""
    most = LANES_ON_CPU if jax.default_backend() == "cpu" else _LANES_ON_ACCELERATOR
    return min(most, 1 << (number - 1).bit_length())


class Pool:
    """The lanes of one program, and what they run."""

    def __init__(self, runs: Runs):
        self.runs, self.began, self.compile_seconds = runs, time.perf_counter(), 0.0
        self.width = lanes_for(runs.number)
        self.numbers = np.zeros(self.width, np.int32)
        self.busy = np.zeros(self.width, bool)
        self.waiting = 0
        self.slots = self.filled()
        self.seed = runs.seed if np.ndim(runs.seed) == 0 else np.asarray(0, np.uint32)
        found, dynamic = program(_begin_lanes, runs.task, self.seed, self.slots, make_host())
        if "blank" not in found.notes:
            began = time.perf_counter()
            idle = jax.device_put(np.full(self.width, Phase.OVER.value, np.int32))
            found.notes["blank"] = blank(found, dynamic)._replace(phase=idle)
            self.compile_seconds += time.perf_counter() - began
        self.lanes: Lane = found.notes["blank"]

    def filled(self) -> Slots:
        """What the runs that the lanes have start from, and what is their own."""
        runs, numbers = self.runs, self.numbers
        starts = jax.tree.map(lambda leaf: leaf[numbers], runs.starts)
        own = tuple(None if leaf is None else leaf[numbers] for leaf in runs.numbers)
        seed, data = None if np.ndim(runs.seed) == 0 else runs.seed[numbers], None
        if runs.data is not None:
            found, dynamic = program(gather, runs.data, numbers)
            data = found.call(dynamic)
        return Slots(numbers, seed, starts, data, own)

    def refill(self) -> np.ndarray:
        """Gives the lanes that are idle the next runs; which of them got one."""
        idle = np.flatnonzero(~self.busy)[: self.runs.number - self.waiting]
        fresh = np.zeros(self.width, bool)
        if len(idle):
            fresh[idle] = True
            self.numbers = self.numbers.copy()  # the old ones may still be read
            self.numbers[idle] = np.arange(self.waiting, self.waiting + len(idle))
            self.waiting += len(idle)
            self.busy[idle] = True
            self.slots = self.filled()
        return fresh

    def run(self) -> EndedRuns:
        """All runs to their ends."""
        task, pieces, blocks, layout = self.runs.task, [], [], None
        call = None
        while True:
            fresh = self.refill()
            if not self.busy.any():
                break
            # While runs wait, until an eighth of the lanes is done; after that, until all are.
            waits = self.waiting < self.runs.number
            enough = self.width - self.busy.sum() + max(1, self.width // _RELIEF) if waits else self.width
            per_epoch = np.inf if self.runs.per_epoch is None else self.runs.per_epoch
            host = make_host(time.perf_counter() - self.began, steps_per_epoch=per_epoch)
            rest = (self.seed, self.slots, self.lanes, host, fresh, np.asarray(enough, np.int32))
            call = Call(_turn_lanes, task, *rest, size=Size(self.width)) if call is None else call
            self.compile(call.program, call.arguments(*rest[:4], np.zeros_like(fresh), np.asarray(0, np.int32)))
            self.lanes, block = call.program.call(call.arguments(*rest))
            layout = block.layout
            at, lane = np.nonzero(np.asarray(block.closed))
            blocks.append((self.numbers[lane], np.asarray(block.rows)[at, lane]))
            ended = np.flatnonzero(self.busy & (np.asarray(block.phase) == Phase.OVER))
            if len(ended):
                parts = jax.tree.map(
                    lambda leaf, lanes=ended: _lanes_of(leaf, lanes), (self.lanes.carry, self.lanes.best)
                )
                pieces.append(EndedSome(self.numbers[ended], *parts))
                self.busy[ended] = False
        return self.ordered(pieces, blocks, layout)

    def compile(self, found: Program, dynamic: list[Any]) -> None:
        """Compiles by a call without a turn, so that compiling and running are timed apart."""
        if found.fresh:
            began = time.perf_counter()
            jax.block_until_ready(found.call(dynamic))
            found.fresh = False
            self.compile_seconds += time.perf_counter() - began

    def ordered(self, pieces: list[EndedSome], blocks: list[tuple[np.ndarray, np.ndarray]], layout: Any) -> EndedRuns:
        """What was collected, in the order of the runs; the rows of a run in the order of its steps."""
        numbers = np.concatenate([piece.numbers for piece in pieces])
        order = np.argsort(numbers)
        together = [(piece.carry, piece.best) for piece in pieces]
        carry, best = jax.tree.map(lambda *leaves: _concatenated(leaves)[order], *together)
        owner = np.concatenate([block for block, _ in blocks])
        rows = np.concatenate([block for _, block in blocks])[np.argsort(owner, kind="stable")]
        at = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=self.runs.number))])
        return EndedRuns(carry, best, rows, at, layout, self.compile_seconds)


def _lanes_of(leaf: Any, lanes: np.ndarray) -> Any:
    """The entries of some lanes, on the host; random keys stay what they are."""
    return leaf[lanes] if is_key(leaf) else np.asarray(leaf)[lanes]


def _concatenated(leaves: tuple) -> Any:
    """The parts of one leaf, one after the other."""
    return jnp.concatenate(leaves) if is_key(leaves[0]) else np.concatenate(leaves)
