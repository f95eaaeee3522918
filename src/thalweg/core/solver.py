"""How `x_t` becomes `x_{t+1}`."""

import abc
from typing import Any, Protocol, runtime_checkable

import equinox as eqx

from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.types import Key, Params, State, Step


@runtime_checkable
class Samples(Protocol):
    """A solver that draws examples of a finite sum itself, from its own key."""

    def examples(self, n: int) -> int:
        """How many examples one step reads, of `n`: an epoch is as many steps as read `n`."""
        ...


class Solver(eqx.Module):
    """One method: an initial state and a step. A step reports; whether to go on is decided elsewhere.

    - `needs`: oracles that the problem must offer.
    - `takes`: parts of a problem that the method does not ignore, beyond those that it needs.
    - `proxy`: true where `Info.optimality` is not measured at `x_t` itself; the loop then confirms it with
      `core.optimality` before it says CONVERGED.

    A state has an attribute `x`, always the point that the method reports.
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


@runtime_checkable
class Interruptible(Protocol):
    """A solver whose step can rest between two evaluations, so that many runs share the turns of one loop.

    `step` is `open`, then `turn` until the progress is `done`, then `close`. Plain numbers in the progress are
    constants.
    """

    @property
    def interruptible(self) -> bool:
        """Whether this configuration can; else it is asked for whole steps."""
        ...

    def open(self, problem: Problem, state: State, key: Key) -> Any:
        """The step before its first evaluation."""
        ...

    def turn(self, problem: Problem, state: State, progress: Any) -> Any:
        """The step after one more evaluation; one that is done holds still."""
        ...

    def close(self, problem: Problem, state: State, progress: Any) -> Step:
        """The step, once it is done."""
        ...
