"""Step sizes as closed forms of the step: `schedule(t)` is the rate for step `t = 0, 1, ...`."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.duration import Duration, WholeRun, as_duration
from thalweg.core.fields import check_nonnegative, check_real, real_field
from thalweg.core.types import Scalar, real


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
    warmup: Any = eqx.field(default=0, converter=as_duration)
    steps: Any = eqx.field(default=None, converter=as_duration)
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
        t, w, last = real(step), real(self.warmup.steps), real(self.steps.steps)
        rising = (t + 1) / jnp.maximum(w, 1)
        progress = jnp.clip((t - w) / jnp.maximum(last - w, 1), 0, 1)
        falling = self.final + (1 - self.final) * 0.5 * (1 + jnp.cos(jnp.pi * progress))
        return self.peak * jnp.where(t < w, rising, falling)


def check_order(warmup: Any, steps: Any) -> None:
    """A warm-up that never ends is a mistake."""
    if isinstance(warmup, float) and isinstance(steps, float) and warmup >= steps:
        raise ValueError(
            f"WarmupCosine(warmup={warmup:g}, steps={steps:g}): the warm-up must be shorter than the whole schedule."
        )
