"""What a line search sees and returns."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.packed_loop import while_loop
from thalweg.core.types import Evaluation, Scalar, ScalarLike, State


class Phi(NamedTuple):
    r"""The objective along a ray, \(\varphi(t) = f(x + t d)\).

    - `value`: \(\varphi(t)\). `slope`: \(\varphi'(t)\). `seen`: the evaluation itself.
    """

    value: Scalar
    slope: Scalar
    seen: Evaluation


class Ray(NamedTuple):
    r"""A ray from `x` along a descent direction `d`, as a search sees it.

    - `at`: \(t \mapsto \varphi(t)\), one evaluation of value and gradient a call. `start`: \(\varphi(0)\).
    - `initial_step`: the trial step to begin with. `max_step`: no step goes beyond; infinity where the ray is open.
    - `curvature`: a call gives \(\varphi''(0) = d'\nabla^2 f(x)\,d\), at the price of one Hessian-vector product.
    - `sign`: -1 where the user's function is maximized, so that \(\varphi\) is its negative; else 1.
    """

    at: Callable[[Scalar], Phi]
    start: Phi
    initial_step: Scalar
    max_step: Scalar
    curvature: Callable[[], Scalar]
    sign: int = 1


class Found(NamedTuple):
    """The accepted step and the evaluation made there, so that nothing is evaluated twice.

    - `step`: how far to go. `phi`: the objective there.
    - `ok`: false where no step lowered the value. `unbounded`: true where the value fell without end.
    - `count`: evaluations of value and gradient; `hvps`: Hessian-vector products.
    - `memory`: what the search knows at its next call; `()` for one without memory.
    """

    step: Scalar
    phi: Phi
    ok: Scalar
    unbounded: Scalar
    count: Scalar
    hvps: ScalarLike = 0
    memory: Any = ()


class LineSearch(eqx.Module):
    """Picks a step along a descent ray."""

    @abc.abstractmethod
    def init(self, seen: Evaluation) -> State:
        """The memory before the first search, from the evaluation at the start; `()` for a search without memory."""

    @abc.abstractmethod
    def __call__(self, ray: Ray, memory: State) -> Found:
        """A step along `ray`. Non-finite trials are too far."""


class Resumable(eqx.Module):
    """A search that can rest between two evaluations, so that many runs share the turns of one loop.

    It is a parent beside `LineSearch`: `search(ray, memory)` is `open`, then `turn` until the progress is `done`, then
    `close`, which is what `searched` does. The progress has attributes `trial`, the step to evaluate next, and `done`.
    """

    @abc.abstractmethod
    def open(self, ray: Ray, memory: State) -> Any:
        """The search before its first evaluation."""

    @abc.abstractmethod
    def turn(self, ray: Ray, memory: State, progress: Any) -> Any:
        """The search after one more evaluation, at `progress.trial`."""

    @abc.abstractmethod
    def close(self, ray: Ray, memory: State, progress: Any) -> Found:
        """What was found, once the search is done."""


def searched(search: Resumable, ray: Ray, memory: State) -> Found:
    """The whole search, in a loop of its own."""
    opened = search.open(ray, memory)
    end = while_loop(lambda progress: ~progress.done, lambda progress: search.turn(ray, memory, progress), opened)
    return search.close(ray, memory, end)


def value_rounding(phi0: Phi) -> Scalar:
    """Differences of values below this are rounding."""
    return 4 * jnp.finfo(phi0.value.dtype).eps * jnp.abs(phi0.value)


def decreased(phi0: Phi, phi: Phi, step: Scalar, fraction: ScalarLike) -> Scalar:
    r"""Whether the value fell by `fraction` of what the slope promised.

    Where the fall is below rounding the slope decides instead: for a quadratic
    \(\varphi(t) \le \varphi(0) + \alpha t \varphi'(0)\) and \(\varphi'(t) \le (2\alpha-1)\varphi'(0)\) say the same
    (Hager & Zhang 2005, doi:10.1137/030601880). Without it no search could end near a minimum.
    """
    armijo = phi.value - phi0.value <= fraction * step * phi0.slope  # a difference: it keeps what a sum rounds away
    rounded = jnp.abs(phi.value - phi0.value) <= value_rounding(phi0)
    by_slope = rounded & (phi.slope <= (2 * fraction - 1) * phi0.slope)
    return armijo | by_slope | (phi.value == -jnp.inf)  # beyond the largest number: no slope is finite there
