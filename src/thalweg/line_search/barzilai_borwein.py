"""The step that makes a multiple of the identity the best guess of the Hessian."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_positive, check_real, fail, real_field, replace, static_field
from thalweg.core.tree import dot, max_abs, subtract
from thalweg.core.types import Evaluation, Params, Scalar, State, real
from thalweg.line_search.backtracking import Backtracking, BacktrackingProgress
from thalweg.line_search.protocol import Found, LineSearch, Ray, Resumable, searched

_STEP_FORMULAS = ("long", "short", "alternate")


class Spectral(NamedTuple):
    """The next step along the negative gradient, the last values, and how many steps were taken."""

    step: Scalar
    values: jax.Array
    count: Scalar


class BarzilaiBorwein(LineSearch, Resumable):
    r"""\(t = \langle\Delta x,\Delta x\rangle/\langle\Delta x,\Delta g\rangle\), the inverse curvature of the last step.

    With it \(\tfrac1t I\) satisfies the secant equation of the last step as well as a multiple of \(I\) can. Such steps
    are fast because the value may rise now and then. So the first of \(t, \beta t, \beta^2 t, \dots\) is taken with
    \[ \varphi(t) \le \max_{0 \le j < m} f(x_{k-j}) + \alpha t\varphi'(0). \]
    Along another direction \(d\) than the negative gradient the step is that which promises the same fall,
    \(t\,\|g\|^2/(-\langle g, d\rangle)\).

    - `formula`: `"long"` as above (BB1); `"short"`:
      \(\langle\Delta x, \Delta g\rangle/\langle\Delta g, \Delta g\rangle\) (BB2), never longer; `"alternate"`: the two
      by turns.
    - `memory`: \(m\) >= 1, values that the search compares with; 1 lets none rise.
    - `step_size`: > 0, the largest entry of the very first step, and of a step after one along which the curvature was
      not positive.
    - `slope`: \(\alpha\) in (0, 1/2). `decrease`: \(\beta\) in (0, 1). `max_trials`: >= 1.

    **Guarantee** Every limit point of gradient descent with it is stationary; on strongly convex quadratics, and on
    strongly convex functions with this safeguard, linear in the sense of roots, in practice far faster than with
    exact search.
    **References** Barzilai & Borwein 1988, doi:10.1093/imanum/8.1.141; the safeguard: Grippo, Lampariello & Lucidi
    1986, doi:10.1137/0723046, Raydan 1997, doi:10.1137/S1052623494266365; rates: Dai & Liao 2002,
    doi:10.1093/imanum/22.1.1.
    """

    formula: Literal["long", "short", "alternate"] = static_field("alternate")
    memory: int = static_field(10)
    step_size: float = real_field(1.0)
    slope: float = real_field(1e-4)
    decrease: float = real_field(0.5)
    max_trials: int = static_field(60)

    def __check_init__(self):
        if self.formula not in _STEP_FORMULAS:
            fail(self, "formula", self.formula, "one of 'long', 'short', 'alternate'")
        check_count(self, "memory", "max_trials")
        check_positive(self, "step_size")
        check_real(self, "slope", 0.0, 0.5, "in (0, 1/2)", open_low=True, open_high=True)
        check_real(self, "decrease", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)

    def init(self, seen: Evaluation) -> Spectral:
        """The memory holds one value, and a step of a known length."""
        values = jnp.full(self.memory, -jnp.inf, seen.value.dtype).at[-1].set(seen.value)
        return Spectral(self.cautious(seen.grad), values, jnp.asarray(0, jnp.int32))

    def cautious(self, grad: Params) -> Scalar:
        """The step along the negative gradient whose largest entry is `step_size`."""
        peak = real(max_abs(grad))
        return self.step_size / jnp.where(peak > 0, peak, 1)

    def __call__(self, ray: Ray, memory: State) -> Found:
        """The whole search, trial after trial."""
        return searched(self, ray, memory)

    def open(self, ray: Ray, memory: State) -> BacktrackingProgress:
        """The first trial promises the fall of the spectral step along the negative gradient."""
        peak, slope = max_abs(ray.start.seen.grad), ray.start.slope
        unit = jax.tree.map(lambda leaf: leaf / as_divisor(peak, leaf), ray.start.seen.grad)  # g'g may overflow
        ratio = real(dot(unit, unit)) * real(peak) * (real(peak) / -real(slope))
        first = memory.step * jnp.where(slope < 0, ratio, 1)
        ray = self.relaxed(ray, memory)._replace(initial_step=first.astype(ray.start.value.dtype))
        return self.backtracking().open(ray, ())

    def turn(self, ray: Ray, memory: State, progress: BacktrackingProgress) -> BacktrackingProgress:
        """One trial of Armijo's search against the largest of the last values."""
        return self.backtracking().turn(self.relaxed(ray, memory), (), progress)

    def close(self, ray: Ray, memory: State, progress: BacktrackingProgress) -> Found:
        """The accepted step, and the spectral step that follows from it."""
        found = self.backtracking().close(self.relaxed(ray, memory), (), progress)
        here, there = ray.start.seen, found.phi.seen
        dx, dgrad = subtract(there.x, here.x), jax.tree.map(jnp.subtract, there.grad, here.grad)
        long, short = inverse_curvatures(dx, dgrad, self.cautious(there.grad))
        odd = memory.count % 2 == 1
        step = {"long": long, "short": short, "alternate": jnp.where(odd, short, long)}[self.formula]
        values = jnp.append(memory.values[1:], there.value)
        return found._replace(memory=Spectral(step, values, memory.count + 1))

    def relaxed(self, ray: Ray, memory: State) -> Ray:
        """The ray as if it began at the largest of the last values: Armijo's search then lets the value rise."""
        return ray._replace(start=ray.start._replace(value=jnp.max(memory.values)))

    def backtracking(self) -> Backtracking:
        """Armijo's search with this search's numbers."""
        return replace(Backtracking(), slope=self.slope, decrease=self.decrease, max_trials=self.max_trials)


def inverse_curvatures(dx: Params, dgrad: Params, otherwise: Any) -> tuple[Scalar, Scalar]:
    """The two quotients of Barzilai and Borwein, the longer first; `otherwise` where the curvature is not positive.

    Products are those of vectors whose largest entry is 1, so that none overflows.
    """
    length, change = max_abs(dx), max_abs(dgrad)
    s = jax.tree.map(lambda leaf: leaf / as_divisor(length, leaf), dx)
    y = jax.tree.map(lambda leaf: leaf / as_divisor(change, leaf), dgrad)
    product = real(dot(s, y))
    positive = product > 0
    ratio, product = real(length) / jnp.where(change > 0, real(change), 1), jnp.where(positive, product, 1)
    long, short = ratio * (real(dot(s, s)) / product), ratio * (product / real(dot(y, y)))
    return jnp.where(positive, long, otherwise), jnp.where(positive, short, otherwise)


def as_divisor(size: Scalar, leaf: jax.Array) -> jax.Array:
    """`size` as a divisor of `leaf`."""
    return jnp.where(size > 0, size, 1).astype(leaf.dtype)
