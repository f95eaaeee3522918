"""How `x_t` becomes `x_{t+1}`."""

import abc
from typing import Any

import equinox as eqx

from thalweg.core.oracle import PARTS, Oracle
from thalweg.core.problem import Problem
from thalweg.core.types import Key, Params, State, Step


class Solver(eqx.Module):
    """One method: an initial state and a step. A step reports; whether to go on is decided elsewhere.

    - `needs`: oracles that the problem must offer.
    - `takes`: parts of a problem that the method does not ignore, beyond those that it needs.
    - `proxy`: true where `Info.optimality` is not measured at `x_t` itself; the loop then confirms it with
      `core.optimality` before it says CONVERGED.

    A method writes each of the three as a class variable, `needs: ClassVar[frozenset[Oracle]] = frozenset({...})`, or
    as a property where it depends on a method inside. A state has an attribute `x`, always the point that the method
    reports. `check_protocol(solver)` says in one sentence where a solver breaks these rules.
    """

    @property
    @abc.abstractmethod
    def needs(self) -> frozenset[Oracle]:
        """What the problem must offer."""

    @property
    @abc.abstractmethod
    def takes(self) -> frozenset[Oracle]:
        """What the method does not ignore, beyond what it needs."""

    @property
    @abc.abstractmethod
    def proxy(self) -> bool:
        """Whether `Info.optimality` stands for a point near `x_t`."""

    @abc.abstractmethod
    def init(self, problem: Problem, x: Params) -> State:
        """The state at the start; `state.x` is `x`."""

    @abc.abstractmethod
    def step(self, problem: Problem, state: State, key: Key) -> Step:
        """One step. The problem is a deterministic function here; `key` is the solver's own randomness."""

    @abc.abstractmethod
    def rebase(self, problem: Problem, state: State) -> State:
        """The state at the same point on another function: how a method around this one changes the problem.

        Evaluations that this takes are reported with the next step, like those of `init`. A method that has nothing to
        carry over starts afresh, `return self.init(problem, state.x)`; one that holds the evaluation at its point asks
        `problem.objective.revisit` for the new one, which may know it already.
        """


def fits(solver: Solver, offers: frozenset[Oracle]) -> bool:
    """Whether a problem with these `offers` has what the solver needs, and no part that it would ignore."""
    return not unmet(solver, offers) and not ignored_by(solver, offers)


def unmet(solver: Solver, offers: frozenset[Oracle]) -> frozenset[Oracle]:
    """What the solver needs and is not offered."""
    return solver.needs - offers


def ignored_by(solver: Solver, offers: frozenset[Oracle]) -> frozenset[Oracle]:
    """The parts among the `offers` that the solver would pass over."""
    return (offers & PARTS) - solver.takes - solver.needs


class Samples(eqx.Module):
    """A solver that draws examples of a finite sum itself, from its own key: a parent beside `Solver`."""

    @abc.abstractmethod
    def examples(self, n: int) -> int:
        """How many examples one step reads, of `n`: an epoch is as many steps as read `n`."""


class Interruptible(eqx.Module):
    """A solver whose step can rest between two evaluations, so that many runs share the turns of one loop.

    It is a parent beside `Solver`. `step` is `open`, then `turn` until the progress is `done`, then `close`. Plain
    numbers in the progress are constants.
    """

    @property
    @abc.abstractmethod
    def interruptible(self) -> bool:
        """Whether this configuration can rest; if not, it is asked for whole steps."""

    @abc.abstractmethod
    def open(self, problem: Problem, state: State, key: Key) -> Any:
        """The step before its first evaluation."""

    @abc.abstractmethod
    def turn(self, problem: Problem, state: State, progress: Any) -> Any:
        """The step after one more evaluation; one that is done holds still."""

    @abc.abstractmethod
    def close(self, problem: Problem, state: State, progress: Any) -> Step:
        """The step, once it is done."""
