"""Many runs side by side, and one turn of all of them.

A step of a method may take many evaluations: under `vmap` every lane would wait for the longest search of them all. So
a turn is one evaluation where the method can rest between two (`Interruptible`), and one step where it cannot; each
lane opens and closes its steps in its own time. A lane whose run has ended makes one more step, whose state is
dropped, to learn what is true of its last point; then it holds still until it gets another run.
"""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun

from thalweg.core.average import Average
from thalweg.core.iterate import Carry, advance, bind, start, strong
from thalweg.core.jaxprs import live
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.ranking import Rank, is_at_least_as_good, ranked
from thalweg.core.solver import Interruptible, Solver
from thalweg.core.status import Status
from thalweg.core.stop import Host, Stop
from thalweg.core.trace import Layout, check_scalars, pack
from thalweg.core.tree import select
from thalweg.core.types import Info, Key, Params, Scalar, State, Step, is_number, real


class Phase(enum.IntEnum):
    """Where a lane stands: in its run, in the step that looks at the last point, or done."""

    RUNS = 0
    LOOKS = 1
    OVER = 2


class LaneBest(NamedTuple):
    """The best finite point of a lane: its rank, its step, the point itself."""

    rank: Rank
    step: Scalar
    x: Params


class Lane(NamedTuple):
    """One lane between two turns.

    - `progress`: the arrays of a step in progress; `opens`: whether the next turn opens one.
    - `phase`: see `Phase`. `best`: the best point so far.
    """

    carry: Carry
    progress: list[Any]
    opens: Scalar
    phase: Scalar
    best: LaneBest


class Case(NamedTuple):
    """What a lane runs: everything but its state. `average` is kept of the iterates."""

    problem: Problem
    solver: Solver
    stop: Stop
    key: Key
    average: Average | None = None


class PackedRow(eqx.Module):
    """The packed row of a step, and the layout that unpacks it."""

    numbers: Any
    layout: Layout = eqx.field(static=True)


class Closing(Solver):
    """A solver whose step is the one in progress."""

    solver: Solver
    progress: Any

    @property
    def needs(self) -> frozenset[Oracle]:
        """What the solver inside needs."""
        return self.solver.needs

    @property
    def takes(self) -> frozenset[Oracle]:
        """What the solver inside takes."""
        return self.solver.takes

    @property
    def proxy(self) -> bool:
        """Whether the solver inside measures its residual elsewhere than at `x_t`."""
        return self.solver.proxy

    def init(self, problem: Problem, x: Params) -> State:
        """The initial state of the solver inside."""
        return self.solver.init(problem, x)

    def rebase(self, problem: Problem, state: State) -> State:
        """The solver's own way to another function."""
        return self.solver.rebase(problem, state)

    def step(self, problem: Problem, state: State, key: Key) -> Step:
        """The step in progress, closed."""
        assert isinstance(self.solver, Interruptible)
        return self.solver.close(problem, state, self.progress)


def rests(solver: Solver) -> bool:
    """Whether a step of this solver can rest between two evaluations."""
    return isinstance(solver, Interruptible) and solver.interruptible


def begin_lane(case: Case, x: Params, host: Host) -> Lane:
    """A lane before its first turn. Nothing is opened: the shapes of the progress are those of an opened step."""
    problem, solver, stop, key, _ = case
    carry = start(problem, solver, x, stop, key, None, host, case.average)
    shapes = jax.eval_shape(lambda carry: _changing_leaves(_opened(case, carry)), carry) if rests(solver) else []
    blank = [jnp.zeros(shape.shape, shape.dtype) for shape in shapes]
    best = LaneBest(Rank(real(jnp.inf), real(jnp.inf)), jnp.asarray(0, jnp.int32), carry.point)
    phase = jnp.asarray(Phase.RUNS.value, jnp.int32)
    return jax.tree.map(strong, Lane(carry, blank, jnp.asarray(True), phase, best))


def _opened(case: Case, carry: Carry) -> Any:
    """A step of the solver before its first evaluation."""
    solver = case.solver
    assert isinstance(solver, Interruptible)
    here, key = bind(case.problem, case.key, carry.step, carry.model_state, None)
    return solver.open(here, carry.state, key)


def _changing_leaves(tree: Any) -> list[Any]:
    """The leaves that can change."""
    return [leaf for leaf in jax.tree.leaves(tree) if not is_number(leaf)]


def _mixed(condition: Any, new: Any, old: list[Any]) -> Any:
    """The tree `new` where the condition holds, else the one of the arrays `old`; plain numbers are those of `new`."""
    leaves, structure = jax.tree.flatten(new)
    rest = iter(old)
    chosen = [leaf if is_number(leaf) else jnp.where(condition, leaf, next(rest)) for leaf in leaves]
    return jax.tree.unflatten(structure, chosen)


def turn_lane(case: Case, lane: Lane) -> tuple[Lane, PackedRow, Scalar]:
    """One turn of a lane, the row of the step that it closed, and whether it closed one."""
    problem, solver, stop, key, _ = case
    runs, looks = lane.phase == Phase.RUNS.value, lane.phase == Phase.LOOKS.value
    # A lane that looks makes a step as if it ran on, and says so to the loop.
    carry = lane.carry._replace(status=jnp.zeros_like(lane.carry.status), host=lane.carry.host.looking(looks))
    progress, done = [], jnp.asarray(True)
    if rests(solver):
        assert isinstance(solver, Interruptible)
        here, _ = bind(problem, key, carry.step, carry.model_state, None)
        under_way = _mixed(lane.opens, _opened(case, carry), lane.progress)
        under_way = solver.turn(here, carry.state, under_way)
        progress, done = _changing_leaves(under_way), under_way.done
        solver = Closing(solver, under_way)
    after, info = advance(problem, solver, stop, key, carry)
    closed = done & (runs | looks)
    failed = after.status >= Status.NONFINITE.value
    gone = after.status != Status.RUNNING.value
    following = jnp.where(failed | looks, Phase.OVER.value, jnp.where(gone, Phase.LOOKS.value, Phase.RUNS.value))
    new = Lane(
        carry=select(closed & runs, after._replace(host=lane.carry.host), lane.carry),
        progress=progress,
        opens=done,
        phase=jnp.where(closed, following, lane.phase).astype(jnp.int32),
        best=_better(lane.best, closed, info, after.point, carry.step),
    )
    check_scalars(info)
    row, layout = pack(info)
    return jax.tree.map(strong, new), PackedRow(row, layout), closed


def _better(best: LaneBest, closed: Scalar, info: Info, point: Params, step: Scalar) -> LaneBest:
    """The better of the best point so far and that of a closed step."""
    violation = real(info.infeasibility)
    rank = ranked(real(info.value), violation)
    lower = closed & is_at_least_as_good(rank, best.rank) & jnp.isfinite(rank.value) & ~jnp.isnan(violation)
    return select(lower, LaneBest(rank, step, point), best)


def take_turns(one: Callable, lanes: Lane, capacity: int, enough: Any) -> tuple[Lane, jax.Array, jax.Array, Layout]:
    """Turns of all lanes, at most `capacity`, until `enough` of them are over.

    `one`: `turn_lane` of all lanes at once. Beside the lanes: `rows[i, lane]`, the packed row of the step that turn `i`
    closed in that lane; `closed[i, lane]`, whether it closed one; and the layout that unpacks the rows.
    """
    structure, layouts = jax.tree.structure(lanes), []

    def flat(leaves):
        after, row, closed = one(jax.tree.unflatten(structure, leaves))
        layouts.append(row.layout)
        return *jax.tree.leaves(after), row.numbers, closed

    jaxpr, shapes = jax.make_jaxpr(flat, return_shape=True)(jax.tree.leaves(lanes))  # traced once
    again = jaxpr_as_fun(live(jaxpr))
    blank = [jnp.zeros((capacity, *shape.shape), shape.dtype) for shape in shapes[-2:]]
    phase = structure.unflatten(range(structure.num_leaves)).phase

    def going(loop):
        i, leaves, _ = loop
        return (i < capacity) & (jnp.sum(leaves[phase] == Phase.OVER.value, dtype=jnp.int32) < enough)

    def body(loop):
        i, leaves, written = loop
        *leaves, row, closed = again(*leaves)
        new = [jax.lax.dynamic_update_index_in_dim(a, b, i, 0) for a, b in zip(written, (row, closed), strict=True)]
        return i + 1, leaves, new

    start = jnp.asarray(0, jnp.int32), jax.tree.leaves(lanes), blank
    _, leaves, (rows, closed) = jax.lax.while_loop(going, body, start)
    return jax.tree.unflatten(structure, leaves), rows, closed, layouts[-1]
