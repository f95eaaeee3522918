"""Simulated annealing."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.fields import check_count, check_nonnegative, real_field, static_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.rule import at
from thalweg.core.solver import Solver
from thalweg.core.tree import select
from thalweg.core.types import Key, Params, Scalar, Step, make_info, real
from thalweg.solvers.blackbox.moves import Move


class _Walk(NamedTuple):
    """A random walk: where it stands, the best point that it saw, how many proposals it accepted."""

    here: Params
    here_value: Scalar
    best: Params
    best_value: Scalar
    accepted: Scalar


class AnnealingState(NamedTuple):
    """Where annealing stands.

    - `x`, `value`: the best point. `walker`, `walker_value`: where the walk stands.
    - `step`: levels so far. `unreported`: evaluations that no `Info` has counted yet.
    """

    x: Params
    value: Scalar
    walker: Params
    walker_value: Scalar
    step: Scalar
    unreported: Scalar


class SimulatedAnnealing(Solver):
    r"""A random walk that climbs less and less, for functions without gradients and variables of any kind.

    One step is a chain of `proposals` at one temperature \(T_t\). A proposal \(y\) from \(x\) is accepted with
    probability

    \[ \min\bigl\{1,\; e^{-(f(y) - f(x))/T_t}\bigr\}, \]

    so that at a constant temperature the walk visits \(x\) as often as the Boltzmann weight \(e^{-f(x)/T}\) says. NaN
    and \(+\infty\) are never accepted. `state.x` is the best point seen, and `value` its value; `extra` has the
    temperature, the fraction of accepted proposals and the walker's own value, in the user's sign. There is no
    residual, so a run ends by `tw.Steps`, `tw.Target` or the like; by default after 1000 steps.

    - `move`: proposes a neighbor: `tw.moves.GaussianMove(scale)`, `tw.moves.TwoOpt()`, `tw.moves.BitFlip()`, any
      `tw.moves.Move` that is as likely to propose the way back.
    - `temperature`: in the unit of the objective, >= 0, or a schedule of the step;
      `tw.schedules.Exponential(start, end / start, every=None)` cools by a constant factor over the length of the run.
      At 0 only proposals that do not climb are accepted.
    - `proposals`: in one step, >= 1.

    **Needs** values of the same function at every step. **Takes** bounds (a move beyond them is reflected) and integer
    or boolean variables.
    **Guarantee** the best point is never lost. Cooling like \(c/\log t\), c at least the depth of the deepest local
    minimum, finds the minimum of a finite problem with probability 1; faster cooling has no such promise: use
    `restarts=`.
    **References** Metropolis et al. 1953, doi:10.1063/1.1699114; Kirkpatrick, Gelatt & Vecchi 1983,
    doi:10.1126/science.220.4598.671; Hajek 1988, doi:10.1287/moor.13.2.311 (guarantee).
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.VALUE, Oracle.WHOLE})
    takes: ClassVar[frozenset[Oracle]] = frozenset({Oracle.BOUNDS, Oracle.INTEGERS})
    proxy: ClassVar[bool] = False
    move: Move
    temperature: Any = real_field()
    proposals: int = static_field(100)

    def __check_init__(self):
        if not isinstance(self.move, Move):
            raise TypeError(
                f"SimulatedAnnealing(move={self.move!r}): give a tw.moves.Move, e.g. tw.moves.GaussianMove(0.1)."
            )
        check_nonnegative(self, "temperature")
        check_count(self, "proposals")

    def init(self, problem: Problem, x: Params) -> AnnealingState:
        """The walk begins at `x`."""
        value, zero = real(problem.objective.value(x)), jnp.asarray(0, jnp.int32)
        return AnnealingState(x, value, x, value, zero, zero + 1)

    def step(self, problem: Problem, state: AnnealingState, key: Key) -> Step:
        """One step is a chain of proposals at one temperature."""
        temperature = real(at(self.temperature, state.step))
        drawn, thresholds = self.draw(key, state.walker)

        def propose(walk: _Walk, random: Any) -> tuple[_Walk, None]:
            numbers, threshold = random
            there = self.move(walk.here, numbers)
            there = there if problem.bounds is None else problem.bounds.reflect(there)
            value = real(problem.objective.value(there))
            climb = value - walk.here_value
            accepted = (climb <= 0) | (climb < temperature * threshold)
            here, here_value = select(accepted, (there, value), (walk.here, walk.here_value))
            best, best_value = select(value < walk.best_value, (there, value), (walk.best, walk.best_value))
            return _Walk(here, here_value, best, best_value, walk.accepted + accepted.astype(jnp.int32)), None

        start = _Walk(state.walker, state.walker_value, state.x, state.value, jnp.asarray(0, jnp.int32))
        walk, _ = jax.lax.scan(propose, start, (drawn, thresholds))
        info = make_info(
            state.value,
            np.nan,
            problem.infeasibility(state.x),
            evals=problem.evals(value=self.proposals + state.unreported),
            extra={
                "temperature": temperature,
                "acceptance": real(walk.accepted) / self.proposals,
                "walker": problem.sign * state.walker_value,
            },
        )
        none = jnp.asarray(0, jnp.int32)
        return Step(AnnealingState(walk.best, walk.best_value, walk.here, walk.here_value, state.step + 1, none), info)

    def rebase(self, problem: Problem, state: AnnealingState) -> AnnealingState:
        """The walk begins again at the best point, as cold as it was."""
        return self.init(problem, state.x)._replace(step=state.step)

    def draw(self, key: Key, x: Params) -> tuple[Any, jax.Array]:
        """The random numbers of a whole step: of every move, and how far it may climb at temperature 1.

        A climb below an exponential variate is as likely as a uniform number below `exp(-climb)`.
        """
        moves, thresholds = jax.random.split(key)
        drawn = self.move.draw(moves, x, self.proposals)
        return drawn, jax.random.exponential(thresholds, (self.proposals,), jnp.result_type(float))
