"""What a line search sees and returns."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.packed_loop import while_loop
from thalweg.core.tree import select
from thalweg.core.types import Evaluation, Scalar, ScalarLike, State


class Phi(NamedTuple):
    r"""The objective along a ray, \(\varphi(t) = f(x + t d)\).

    Its value, its slope \(\varphi'(t)\), and the evaluation itself.
    """

    value: Scalar
    slope: Scalar
    seen: Evaluation


class Ray(NamedTuple):
    r"""A ray from `x` along a descent direction `d`, as a search sees it.

    - `at`: \(t \mapsto \varphi(t)\), one evaluation of value and gradient a call. `start`: \(\varphi(0)\).
    - `first`: the trial step to begin with. `longest`: no step goes beyond; infinity where the ray is open.
    - `bend`: a call gives \(\varphi''(0) = d'\nabla^2 f(x)\,d\), at the price of one Hessian-vector product.
    """

    at: Callable[[Scalar], Phi]
    start: Phi
    first: Scalar
    longest: Scalar
    bend: Callable[[], Scalar]


class Found(NamedTuple):
    """The accepted step and the evaluation made there, so that nothing is evaluated twice.

    - `ok` is false where no step lowered the value; `unbounded` is true where the value fell without end.
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


@runtime_checkable
class Resumable(Protocol):
    """A search that can rest between two evaluations, so that many runs share the turns of one loop.

    Its progress has attributes `trial`, the step to evaluate next, and `done`.
    """

    def begin(self, ray: Ray, memory: State) -> Any:
        """The search before its first evaluation."""
        ...

    def turn(self, ray: Ray, progress: Any, phi: Phi) -> Any:
        """The search after the evaluation `phi` at `progress.trial`."""
        ...

    def end(self, ray: Ray, progress: Any) -> Found:
        """What was found, once it is done."""
        ...


def searched(search: Resumable, ray: Ray, memory: State) -> Found:
    """The whole search, in a loop of its own."""
    begun = search.begin(ray, memory)
    end = while_loop(lambda progress: ~progress.done, lambda progress: turned(search, ray, progress), begun)
    return search.end(ray, end)


def turned(search: Resumable, ray: Ray, progress: Any) -> Any:
    """One turn of a search that is not done: one evaluation."""
    return search.turn(ray, progress, ray.at(progress.trial))


def held(search: Resumable, ray: Ray, progress: Any) -> Any:
    """One turn in step with others: a search that is done holds still."""
    return select(progress.done, progress, turned(search, ray, progress))


def noise(phi0: Phi) -> Scalar:
    """Differences of values below this are rounding."""
    return 4 * jnp.finfo(phi0.value.dtype).eps * jnp.abs(phi0.value)


def decreased(phi0: Phi, phi: Phi, step: Scalar, fraction: ScalarLike) -> Scalar:
    r"""Whether the value fell by `fraction` of what the slope promised.

    Where the fall is below rounding the slope decides instead: for a quadratic
    \(\varphi(t) \le \varphi(0) + \alpha t \varphi'(0)\) and \(\varphi'(t) \le (2\alpha-1)\varphi'(0)\) say the same
    (Hager & Zhang 2005, doi:10.1137/030601880). Without it no search could end near a minimum.
    """
    armijo = phi.value - phi0.value <= fraction * step * phi0.slope  # a difference: it keeps what a sum rounds away
    rounded = jnp.abs(phi.value - phi0.value) <= noise(phi0)
    by_slope = rounded & (phi.slope <= (2 * fraction - 1) * phi0.slope)
    return armijo | by_slope | (phi.value == -jnp.inf)  # beyond the largest number: no slope is finite there
