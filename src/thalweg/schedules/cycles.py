"""Cyclical schedules: warm restarts, triangular cycles, and the one-cycle policy with its momentum."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.duration import check_duration, duration_field, in_steps
from thalweg.core.fields import (
    check_choice,
    check_fraction,
    check_nonnegative,
    check_real,
    fail,
    real_field,
    static_field,
)
from thalweg.core.types import Scalar, real
from thalweg.schedules.schedule import Schedule, as_int32, fall_to, half_cosine, progress

_CYCLE_MODES = ("triangular", "triangular2", "exp_range")
_CYCLE_SHAPES = ("cosine", "linear")


class CosineRestarts(Schedule):
    r"""Cosine annealing with warm restarts (SGDR): one half cosine after the other, each from its peak downward.

    Cycle \(i = 0, 1, \dots\) lasts \(T_i = T_0\,g^i\) steps and begins at \(b_i = T_0\,(g^i-1)/(g-1)\)
    (\(i\,T_0\) for \(g = 1\)). In the cycle of step \(t\)

    \[ \eta_t = \eta_{\max}\,\rho^i\,\bigl(\phi + (1-\phi)\,\tfrac12(1+\cos(\pi\,(t-b_i)/T_i))\bigr). \]

    - `peak`: the first and largest rate \(\eta_{\max}\), >= 0.
    - `period`: \(T_0\), the length of the first cycle: whole steps or `tw.Epochs(n)`.
    - `growth`: \(g\) >= 1, the factor from the length of one cycle to the next.
    - `decay`: \(\rho\) in (0, 1], the factor from the peak of one cycle to the next.
    - `final`: \(\phi\), the last rate of a cycle as a fraction of its peak, in [0, 1].

    **References** Loshchilov & Hutter 2017, arXiv:1608.03983.
    """

    peak: float = real_field()
    period: Any = duration_field()
    growth: float = real_field(1.0)
    decay: float = real_field(1.0)
    final: float = real_field(0.0)

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_duration(self, "period", whole_run=False)
        check_real(self, "growth", 1.0, jnp.inf, "a finite number >= 1", open_high=True)
        check_real(self, "decay", 0.0, 1.0, "in (0, 1]", open_low=True)
        check_real(self, "final", 0.0, 1.0, "in [0, 1]")

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        period, g = in_steps(self, "period"), real(self.growth)
        grows = g > 1
        more = jnp.where(grows, g - 1, 1.0)
        t = real(step)
        # By rounding, the logarithm may miss the number of the cycle by one; the ends of the cycle decide.
        guess = jnp.round(jnp.log1p(t * more / period) / jnp.log(jnp.where(grows, g, 2.0)))
        guess = jnp.where(period * (jnp.power(g, guess) - 1) / more > t, guess - 1, guess)
        begin = period * (jnp.power(g, guess) - 1) / more
        same = as_int32(step) // as_int32(period)
        cycle = jnp.where(grows, guess, real(same))
        into = jnp.where(grows, t - begin, t - real(same) * period)
        p = progress(into, period * jnp.power(g, cycle))
        return self.peak * jnp.power(self.decay, cycle) * fall_to(half_cosine(p), self.final)


class Cyclical(Schedule):
    r"""Cyclical learning rates: linearly up and down between `low` and `high`.

    With the cycle \(c = \lfloor t/2k \rfloor\) and the height \(z_t = 1 - |t/k - 2c - 1|\) in it,

    \[ \eta_t = \eta_{\min} + (\eta_{\max} - \eta_{\min})\,z_t\,a_t, \]

    where \(a_t\) is 1 ("triangular"), \(2^{-c}\) ("triangular2") or \(\gamma^t\) ("exp_range").

    - `low`, `high`: \(\eta_{\min} \le \eta_{\max}\), >= 0.
    - `half`: \(k\), half the length of a cycle (the "stepsize" of the paper, which uses two to ten epochs): whole steps
      or `tw.Epochs(n)`.
    - `mode`: "triangular", "triangular2" or "exp_range".
    - `gamma`: \(\gamma\) in (0, 1], only for "exp_range".

    **References** Smith 2017, arXiv:1506.01186.
    """

    low: float = real_field()
    high: float = real_field()
    half: Any = duration_field()
    mode: str = static_field("triangular")
    gamma: float = real_field(1.0)

    def __check_init__(self):
        check_nonnegative(self, "low", "high")
        _check_order(self)
        check_duration(self, "half", whole_run=False)
        check_choice(self, "mode", _CYCLE_MODES)
        check_real(self, "gamma", 0.0, 1.0, "in (0, 1]", open_low=True)
        if self.mode != "exp_range" and isinstance(self.gamma, float) and self.gamma != 1:
            fail(self, "gamma", self.gamma, 'left out unless mode="exp_range"')

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        k = in_steps(self, "half")
        cycle = real(as_int32(step) // as_int32(2 * k))
        height = 1 - jnp.abs((real(step) - 2 * k * cycle) / k - 1)
        fade = {
            "triangular": lambda: 1.0,
            "triangular2": lambda: jnp.power(0.5, cycle),
            "exp_range": lambda: jnp.power(self.gamma, real(step)),
        }[self.mode]()
        return self.low + (self.high - self.low) * height * fade


class OneCycle(Schedule):
    r"""The one-cycle policy: the rate rises to `peak`, then decreases to far below its initial value.

    \[ \eta_t = \begin{cases}
    \eta_{\max}\,\bigl(1 + (1/D - 1)\,h(t/r)\bigr) & t < r = \rho T, \\
    \eta_{\max}\,\bigl(1/DF + (1 - 1/DF)\,h\bigl(\tfrac{t-r}{T-r}\bigr)\bigr) & r \le t \le T,
    \end{cases} \]

    constant afterwards; \(h(p)\) goes from 1 to 0, as \(\tfrac12(1+\cos \pi p)\) or as \(1-p\).

    - `peak`: the largest rate \(\eta_{\max}\), >= 0.
    - `steps`: \(T\), whole steps or `tw.Epochs(n)`; None for the length of the run.
    - `rise`: \(\rho\) in (0, 1), the fraction of \(T\) until the peak.
    - `division`: \(D\) >= 1; the first rate is `peak / division`.
    - `final_division`: \(F\) >= 1; the last rate is the first one divided by it.
    - `shape`: "cosine" or "linear".

    `schedule.momentum()` is the momentum that goes with it: `tw.Momentum(cycle, cycle.momentum())`.

    **References** Smith & Topin 2018, arXiv:1708.07120; Smith 2018, arXiv:1803.09820 (momentum).
    """

    peak: float = real_field()
    steps: Any = duration_field(None)
    rise: float = real_field(0.3)
    division: float = real_field(25.0)
    final_division: float = real_field(1e4)
    shape: str = static_field("cosine")

    def __check_init__(self):
        check_nonnegative(self, "peak")
        _check_one_cycle(self)
        for name in ("division", "final_division"):
            check_real(self, name, 1.0, jnp.inf, "a finite number >= 1", open_high=True)

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        first = 1 / real(self.division)
        return self.peak * _rise_and_fall(self, step, first, first / self.final_division)

    def momentum(self, low: float = 0.85, high: float = 0.95) -> "OneCycleMomentum":
        """Returns the momentum that decreases to `low` while the rate rises, and rises to `high` again afterwards."""
        return OneCycleMomentum(low, high, self.steps, self.rise, self.shape)


class OneCycleMomentum(Schedule):
    r"""The momentum of the one-cycle policy, for `beta` or `b1`: from `high` down to `low` at the peak rate, and back.

    With \(h\) and \(r = \rho T\) as in `OneCycle`: \(\beta_t = \beta_{\min} + (\beta_{\max}-\beta_{\min})\,h(t/r)\) for
    \(t < r\), and \(\beta_{\max} + (\beta_{\min}-\beta_{\max})\,h\bigl(\tfrac{t-r}{T-r}\bigr)\) afterwards.

    - `low`, `high`: \(\beta_{\min} \le \beta_{\max}\), in [0, 1).
    - `steps`, `rise`, `shape`: as in `OneCycle`.

    **References** Smith 2018, arXiv:1803.09820, section 4.2.
    """

    low: float = real_field(0.85)
    high: float = real_field(0.95)
    steps: Any = duration_field(None)
    rise: float = real_field(0.3)
    shape: str = static_field("cosine")

    def __check_init__(self):
        check_fraction(self, "low", "high")
        _check_order(self)
        _check_one_cycle(self)

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        # From `high` to `low` and back is the course of a rate from 0 to 1 and back to 0.
        return self.high + (self.low - self.high) * _rise_and_fall(self, step, real(0.0), real(0.0))


def _rise_and_fall(owner: OneCycle | OneCycleMomentum, step: Scalar, first: Scalar, last: Scalar) -> Scalar:
    """Returns the course of one cycle from `first` up to 1 and down to `last`."""
    t, steps = real(step), in_steps(owner, "steps")
    shape = {"cosine": half_cosine, "linear": lambda p: 1 - p}[owner.shape]
    peak = owner.rise * steps
    rising = 1 + (first - 1) * shape(jnp.clip(t / peak, 0, 1))
    decreasing = last + (1 - last) * shape(jnp.clip((t - peak) / (steps - peak), 0, 1))
    return jnp.where(t < peak, rising, decreasing)


def _check_one_cycle(owner: OneCycle | OneCycleMomentum) -> None:
    """Checks the fields that `OneCycle` and `OneCycleMomentum` share."""
    check_duration(owner, "steps")
    check_real(owner, "rise", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
    check_choice(owner, "shape", _CYCLE_SHAPES)


def _check_order(owner: Cyclical | OneCycleMomentum) -> None:
    """Checks that `low` is at most `high`."""
    if isinstance(owner.low, float) and isinstance(owner.high, float) and owner.low > owner.high:
        fail(owner, "low", owner.low, f"at most high={owner.high!r}")
