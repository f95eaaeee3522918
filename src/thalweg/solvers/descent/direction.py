"""What a direction sees and returns."""

import abc
from typing import Any, NamedTuple

import equinox as eqx

from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.types import Evals, Evaluation, Key, Params, Scalar, ScalarLike, State


class Heading(NamedTuple):
    r"""Where to go from \(x\), and what is known of the way. Defaults are those of a quasi-Newton direction.

    - `d`: the direction. `state`: what is passed on to `update`, or to the next call if the search fails.
    - `plain`: whether `d` points along the negative gradient, so that nothing is left to try if its search fails.
    - `initial_step`: the trial step to begin with. `max_step`: no step goes beyond.
    - `directional_curvature`: \(\min(d'\nabla^2 f(x)\,d,\ 0)\) where negative curvature is followed: it adds to the
      promised fall, for there the slope alone may promise nothing.
    - `curvature`: the smallest Rayleigh quotient of the Hessian met at `x`, NaN where none was looked for at this
      step; the plain number NaN where none ever is. `negative`: whether it is below 0 beyond rounding.
    - `evals`: evaluations of value and gradient, a linearization included; `hvps`: Hessian-vector products; `sampled`:
      what was evaluated on some of the examples only.
    """

    d: Params
    state: Any = ()
    plain: ScalarLike = False
    initial_step: ScalarLike = 1.0
    max_step: ScalarLike = float("inf")
    directional_curvature: ScalarLike = 0.0
    curvature: ScalarLike = float("nan")
    negative: ScalarLike = False
    evals: ScalarLike = 0
    hvps: ScalarLike = 0
    sampled: Evals = Evals()


class Taken(NamedTuple):
    """A step that was taken.

    - `here`, `there`: the evaluations at its two ends. `d`: the direction. `step`: how far along it.
    - `dx`: the change of the variables, `step * d`. `dgrad`: the change of the gradient.
    """

    here: Evaluation
    there: Evaluation
    d: Params
    step: Scalar
    dx: Params
    dgrad: Params


class Direction(eqx.Module):
    """Where to go from a point: gradient descent, quasi-Newton and Newton methods differ only here.

    - `needs`: oracles beyond a gradient and the same function at every step.
    - `takes`: parts of a problem that the direction does not ignore.

    Both are class variables, or properties where they depend on a field, as in a `Solver`.
    """

    @property
    @abc.abstractmethod
    def needs(self) -> frozenset[Oracle]:
        """What the problem must offer beyond a gradient and the same function at every step."""

    @property
    @abc.abstractmethod
    def takes(self) -> frozenset[Oracle]:
        """The parts of a problem that the direction does not ignore."""

    @abc.abstractmethod
    def init(self, x: Params) -> State:
        """What is known of the curvature before the first step, and again after a failed search; `()` for nothing."""

    @abc.abstractmethod
    def __call__(self, problem: Problem, here: Evaluation, state: State, key: Key) -> Heading:
        """The direction at `here.x`."""

    @abc.abstractmethod
    def update(self, state: State, taken: Taken) -> State:
        """The state after a step."""
