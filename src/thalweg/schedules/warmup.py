"""Schedules with a linear warm-up."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.duration import check_duration, duration_field, in_steps, known_steps, parts_field, steps_in_words
from thalweg.core.fields import check_choice, check_nonnegative, check_real, real_field, static_field
from thalweg.core.types import Scalar, real
from thalweg.schedules.schedule import (
    Schedule,
    check_schedule,
    fall_to,
    half_cosine,
    progress,
    rate_of,
    schedule_of,
    steps_since,
)

_DECAY_SHAPES = ("linear", "cosine", "1-sqrt")


class Warmup(Schedule):
    r"""A linear warm-up before any schedule, which starts when the warm-up is over.

    \(\eta_t = \eta_{\text{warm}}\,(t+1)/w\) for \(t < w\), with the first rate of the schedule
    \(\eta_{\text{warm}} = s_0\), and \(\eta_t = s_{t-w}\) from step \(w\) on. No step has a rate of 0.

    - `schedule`: \(s\), a schedule, any function of the step, or a number for a constant rate. Its step 0 is the end of
      the warm-up, and a length of None means the rest of the run: `tw.schedules.Warmup(tw.schedules.Cosine(0.1), 100)`
      is `tw.schedules.WarmupCosine(0.1, 100)`.
    - `warmup`: \(w\), whole steps or `tw.Epochs(n)`; 0 for none.

    **References** Goyal et al. 2017, arXiv:1706.02677.
    """

    schedule: Any = parts_field(lambda self, steps: (steps_left(steps, self.warmup),), converter=schedule_of)
    warmup: Any = duration_field(within_run=True)

    def __check_init__(self):
        check_schedule(self, "schedule", self.schedule)
        check_duration(self, "warmup", low=0, whole_run=False)

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        w = in_steps(self, "warmup")
        return _warmup_factor(step, w) * rate_of(self.schedule, steps_since(step, w))


class WarmupCosine(Schedule):
    r"""A linear warm-up to `peak`, then a cosine decay to `final * peak`.

    \(\eta_t = \eta_{\max}\,(t+1)/w\) for \(t < w\), and
    \(\eta_t = \eta_{\max}\,\bigl(\phi + (1-\phi)\,\tfrac12(1 + \cos(\pi\,(t-w)/(T-w)))\bigr)\) for
    \(w \le t \le T\), constant afterwards.

    - `peak`: the largest rate \(\eta_{\max}\), >= 0.
    - `warmup`: \(w\), whole steps or `tw.Epochs(n)`; 0 for none.
    - `steps`: \(T\), whole steps or `tw.Epochs(n)`; None for the length of the run.
    - `final`: \(\phi\), the last rate as a fraction of `peak`, in [0, 1].

    **References** Loshchilov & Hutter 2017, arXiv:1608.03983 (cosine); Goyal et al. 2017, arXiv:1706.02677 (warm-up).
    """

    peak: float = real_field()
    warmup: Any = duration_field(0, within_run=True)
    steps: Any = duration_field(None)
    final: float = real_field(0.0)

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_real(self, "final", 0.0, 1.0, "in [0, 1]")
        check_duration(self, "warmup", low=0, whole_run=False)
        check_duration(self, "steps")
        warmup, steps = known_steps(self.warmup), known_steps(self.steps)
        if warmup is not None and steps is not None and warmup >= steps:
            raise ValueError(
                f"WarmupCosine(warmup={steps_in_words(warmup)}, steps={steps_in_words(steps)}): the warm-up must be "
                "shorter than the whole schedule."
            )

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        t, w, last = real(step), in_steps(self, "warmup"), in_steps(self, "steps")
        return self.peak * _warmup_factor(step, w) * fall_to(half_cosine(progress(t - w, last - w)), self.final)


class WSD(Schedule):
    r"""Warmup-stable-decay: a linear warm-up, a constant rate, and a decay over the last steps.

    \(\eta_t = \eta_{\max}\,(t+1)/w\) for \(t < w\); \(\eta_{\max}\) for \(w \le t < T-d\); and
    \(\eta_t = \eta_{\max}\,(\phi + (1-\phi)\,h(q))\) with \(q = \min((t-T+d)/d, 1)\) afterwards, where \(h(q)\) is
    \(1-q\) ("linear"), \(\tfrac12(1+\cos \pi q)\) ("cosine") or \(1-\sqrt q\) ("1-sqrt").

    The constant part does not depend on the length of the run, so a run can be prolonged from there, and every length
    needs only a decay of its own.

    - `peak`: the largest rate \(\eta_{\max}\), >= 0.
    - `decay`: \(d\), whole steps or `tw.Epochs(n)`; a tenth to a fifth of the run is usual.
    - `warmup`: \(w\), whole steps or `tw.Epochs(n)`; 0 for none.
    - `steps`: \(T\), whole steps or `tw.Epochs(n)`; None for the length of the run.
    - `shape`: the form of the decay, "linear", "cosine" or "1-sqrt".
    - `final`: \(\phi\), the last rate as a fraction of `peak`, in [0, 1].

    **References** Hu et al. 2024, arXiv:2404.06395; Hägele et al. 2024, arXiv:2405.18392 ("1-sqrt").
    """

    peak: float = real_field()
    decay: Any = duration_field()
    warmup: Any = duration_field(0, within_run=True)
    steps: Any = duration_field(None)
    shape: str = static_field("1-sqrt")
    final: float = real_field(0.0)

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_real(self, "final", 0.0, 1.0, "in [0, 1]")
        check_choice(self, "shape", _DECAY_SHAPES)
        check_duration(self, "decay", whole_run=False)
        check_duration(self, "warmup", low=0, whole_run=False)
        check_duration(self, "steps")
        warmup, decay, steps = (known_steps(value) for value in (self.warmup, self.decay, self.steps))
        if warmup is not None and decay is not None and steps is not None and warmup + decay > steps:
            raise ValueError(
                f"WSD(warmup={steps_in_words(warmup)}, decay={steps_in_words(decay)}, steps={steps_in_words(steps)}): "
                "warm-up and decay must fit into the schedule."
            )

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        t, w, d, last = real(step), in_steps(self, "warmup"), in_steps(self, "decay"), in_steps(self, "steps")
        q = progress(t - (last - d), d)
        h = {"linear": lambda: 1 - q, "cosine": lambda: half_cosine(q), "1-sqrt": lambda: 1 - jnp.sqrt(q)}[self.shape]()
        return self.peak * _warmup_factor(step, w) * fall_to(h, self.final)


class InverseSqrt(Schedule):
    r"""A linear warm-up, then decay with the inverse square root of the step: the schedule of the transformer paper.

    \(\eta_t = \eta_{\max}\,\min\bigl((t+1)/w,\ \sqrt{w/(t+1)}\bigr)\): the peak is reached at step \(w - 1\).
    With \(\eta_{\max} = (d\,w)^{-1/2}\) this is \(d^{-1/2}\min(n^{-1/2},\ n\,w^{-3/2})\) for \(n = t+1\), as it stands
    in the paper.

    - `peak`: the largest rate \(\eta_{\max}\), >= 0.
    - `warmup`: \(w\) >= 1, whole steps or `tw.Epochs(n)`.

    **References** Vaswani et al. 2017, arXiv:1706.03762, section 5.3.
    """

    peak: float = real_field()
    warmup: Any = duration_field(1, within_run=True)

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_duration(self, "warmup", whole_run=False)

    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""
        ratio = (real(step) + 1) / in_steps(self, "warmup")
        return self.peak * jnp.minimum(ratio, 1 / jnp.sqrt(ratio))


def _warmup_factor(step: Scalar, warmup: Scalar) -> Scalar:
    """Returns the fraction of the peak during a warm-up of so many steps, and 1 after it."""
    return jnp.where(real(step) < warmup, (real(step) + 1) / jnp.maximum(warmup, 1), 1.0)


def steps_left(steps: float | None, begin: Any) -> float | None:
    """Returns how many steps of the run are left after `begin`; None where that is not known."""
    first = known_steps(begin)
    return None if steps is None or first is None else max(steps - first, 0.0)
