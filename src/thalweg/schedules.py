"""Step sizes as closed forms of the step: `schedule(t)` is the rate for step `t = 0, 1, ...`."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.duration import Duration, WholeRun, as_duration
from thalweg.core.fields import check_nonnegative, check_real, fail, real_field
from thalweg.core.types import Scalar, real


def duration_field(default: Any = ...) -> Any:
    """A dataclass field for whole steps, `tw.Epochs(n)`, or None for the length of the run."""
    return eqx.field(converter=as_duration, **({} if default is ... else {"default": default}))


class Schedule(eqx.Module):
    """A rate as a function of the step. Any callable of the step serves as well."""

    @abc.abstractmethod
    def __call__(self, step: Scalar) -> Scalar:
        """The rate at `step`."""


class Constant(Schedule):
    r"""\(\eta_t = \eta\).

    - `value`: the rate, >= 0.
    """

    value: float = real_field()

    def __check_init__(self):
        check_nonnegative(self, "value")

    def __call__(self, step: Scalar) -> Scalar:
        """`value`."""
        return real(self.value)


class Linear(Schedule):
    r"""A straight line from `start` to `end`.

    \(\eta_t = (1-p)\,\eta_0 + p\,\eta_T\) with \(p = \min(t/T, 1)\): constant from step \(T\) on.

    - `start`, `end`: \(\eta_0\) and \(\eta_T\), >= 0.
    - `steps`: \(T\), whole steps or `tw.Epochs(n)`; None for the length of the run.
    """

    start: float = real_field()
    end: float = real_field()
    steps: Any = duration_field(None)

    def __check_init__(self):
        check_nonnegative(self, "start", "end")
        check_lasting(self, "steps")

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        p = progress(real(step), in_steps(self, "steps"))
        return (1 - p) * self.start + p * self.end  # unlike start + p (end - start) this ends at `end` exactly


class Cosine(Schedule):
    r"""Half a cosine from `peak` down to `final * peak`.

    \(\eta_t = \eta_{\max}\,\bigl(\phi + (1-\phi)\,\tfrac12(1 + \cos(\pi p))\bigr)\) with \(p = \min(t/T, 1)\): constant
    from step \(T\) on.

    - `peak`: the first and largest rate \(\eta_{\max}\), >= 0.
    - `steps`: \(T\), whole steps or `tw.Epochs(n)`; None for the length of the run.
    - `final`: \(\phi\), the last rate as a fraction of `peak`, in [0, 1].

    **References** Loshchilov & Hutter 2017, arXiv:1608.03983.
    """

    peak: float = real_field()
    steps: Any = duration_field(None)
    final: float = real_field(0.0)

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_real(self, "final", 0.0, 1.0, "in [0, 1]")
        check_lasting(self, "steps")

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        return self.peak * half_cosine(progress(real(step), in_steps(self, "steps")), self.final)


class WarmupCosine(Schedule):
    r"""Linear warm-up to `peak`, then half a cosine down to `final * peak`.

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
    warmup: Any = duration_field(0)
    steps: Any = duration_field(None)
    final: float = real_field(0.0)

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_real(self, "final", 0.0, 1.0, "in [0, 1]")
        if isinstance(self.warmup, WholeRun):
            raise ValueError("WarmupCosine(warmup=None): warmup must be whole steps or tw.Epochs(n), 0 for none.")
        if isinstance(self.warmup, Duration) and isinstance(self.steps, Duration):
            check_order(self.warmup.steps, self.steps.steps)

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        t, w, last = real(step), in_steps(self, "warmup"), in_steps(self, "steps")
        rising = (t + 1) / jnp.maximum(w, 1)
        falling = half_cosine(progress(t - w, last - w), self.final)
        return self.peak * jnp.where(t < w, rising, falling)


class Exponential(Schedule):
    r"""A decay by the same factor over every stretch of one length: \(\eta_t = \eta_0\,\gamma^{t/k}\).

    - `peak`: the first and largest rate \(\eta_0\), >= 0.
    - `factor`: \(\gamma\), in (0, 1].
    - `every`: \(k\), whole steps or `tw.Epochs(n)`; None for the length of the run, which then ends at `factor * peak`.
    """

    peak: float = real_field()
    factor: float = real_field()
    every: Any = duration_field(1)

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_real(self, "factor", 0.0, 1.0, "in (0, 1]", open_low=True)
        check_lasting(self, "every")

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        return self.peak * jnp.power(self.factor, real(step) / in_steps(self, "every"))


class StepDecay(Schedule):
    r"""A staircase: the rate is multiplied by `factor` after every `every` steps.

    \(\eta_t = \eta_0\,\gamma^{\lfloor t/k \rfloor}\).

    - `peak`: the first and largest rate \(\eta_0\), >= 0.
    - `factor`: \(\gamma\), in (0, 1].
    - `every`: \(k\), whole steps or `tw.Epochs(n)`.
    """

    peak: float = real_field()
    factor: float = real_field()
    every: Any = duration_field()

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_real(self, "factor", 0.0, 1.0, "in (0, 1]", open_low=True)
        if isinstance(self.every, WholeRun):
            raise ValueError("StepDecay(every=None): every must be whole steps or tw.Epochs(n).")
        check_lasting(self, "every")

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        # In whole numbers: XLA may compute t / k as t * (1 / k), and in floats 49 * (1 / 49) < 1.
        stairs = whole(step) // whole(in_steps(self, "every"))
        return self.peak * jnp.power(self.factor, real(stairs))


def in_steps(owner: eqx.Module, name: str) -> Scalar:
    """A duration's number of steps. Only the run knows how long an epoch, or the run itself, is."""
    duration = getattr(owner, name)
    if not isinstance(duration, Duration):
        raise ValueError(f"{owner!r} has no length outside minimize: give {name} in whole steps to call it yourself.")
    return real(duration.steps)


def whole(value: Any) -> Scalar:
    """A whole number, as one."""
    return jnp.asarray(value).astype(jnp.int32)


def progress(t: Scalar, steps: Scalar) -> Scalar:
    """The fraction of `steps` that is done at step `t`."""
    return jnp.clip(t / jnp.maximum(steps, 1), 0, 1)


def half_cosine(p: Scalar, final: Any) -> Scalar:
    """From 1 down to `final` as `p` goes from 0 to 1."""
    return final + (1 - final) * 0.5 * (1 + jnp.cos(jnp.pi * p))


def check_lasting(owner: Schedule, name: str) -> None:
    """A duration of at least one step, where its length is known already."""
    duration = getattr(owner, name)
    if isinstance(duration, Duration) and isinstance(duration.steps, float) and duration.steps < 1:
        fail(owner, name, duration.steps, "at least one step")


def check_order(warmup: Any, steps: Any) -> None:
    """A warm-up that never ends is a mistake."""
    if isinstance(warmup, float) and isinstance(steps, float) and warmup >= steps:
        raise ValueError(
            f"WarmupCosine(warmup={warmup:g}, steps={steps:g}): the warm-up must be shorter than the whole schedule."
        )
