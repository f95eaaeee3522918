"""Schedules of one piece: constant, straight, bent, or falling by a factor."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.duration import check_duration, duration_field, in_steps
from thalweg.core.fields import check_nonnegative, check_positive, check_real, real_field
from thalweg.core.types import Scalar, real
from thalweg.schedules.schedule import Schedule, falling, half_cosine, progress, whole


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
        check_duration(self, "steps")

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        p = progress(real(step), in_steps(self, "steps"))
        return (1 - p) * self.start + p * self.end  # unlike start + p (end - start) this ends at `end` exactly


class Polynomial(Schedule):
    r"""A power of what is left of the run, from `peak` down to `final * peak`.

    \(\eta_t = \eta_{\max}\,\bigl(\phi + (1-\phi)(1-p)^a\bigr)\) with \(p = \min(t/T, 1)\): constant from step \(T\) on.

    - `peak`: the first and largest rate \(\eta_{\max}\), >= 0.
    - `steps`: \(T\), whole steps or `tw.Epochs(n)`; None for the length of the run.
    - `power`: \(a\) > 0. 1 is a straight line, 2 ends flat, 1/2 falls steeply at the end.
    - `final`: \(\phi\), the last rate as a fraction of `peak`, in [0, 1].

    **References** Chen et al. 2018, arXiv:1606.00915, section 4.1 (the "poly" policy, with a = 0.9).
    """

    peak: float = real_field()
    steps: Any = duration_field(None)
    power: float = real_field(1.0)
    final: float = real_field(0.0)

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_positive(self, "power")
        check_real(self, "final", 0.0, 1.0, "in [0, 1]")
        check_duration(self, "steps")

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        left = 1 - progress(real(step), in_steps(self, "steps"))
        return self.peak * falling(jnp.power(left, self.power), self.final)


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
        check_duration(self, "steps")

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        return self.peak * falling(half_cosine(progress(real(step), in_steps(self, "steps"))), self.final)


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
        check_duration(self, "every")

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
        check_duration(self, "every", whole_run=False)

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        # In whole numbers: XLA may compute t / k as t * (1 / k), and in floats 49 * (1 / 49) < 1.
        stairs = whole(step) // whole(in_steps(self, "every"))
        return self.peak * jnp.power(self.factor, real(stairs))


class InverseTime(Schedule):
    r"""A hyperbola, or a power of it: \(\eta_t = \eta_0\,(1 + t/k)^{-a}\).

    The rates of stochastic approximation: for \(\tfrac12 < a \le 1\) they fulfil the conditions of Robbins and Monro
    (`tw.schedules.robbins_monro`).

    - `peak`: the first and largest rate \(\eta_0\), >= 0.
    - `every`: \(k\), whole steps or `tw.Epochs(n)`, after which the rate is \(2^{-a}\) of the first; None for the
      length of the run.
    - `power`: \(a\) > 0.

    On a \(\mu\)-strongly convex function \(\eta_0 = 1/\lambda\mu\) with \(k = \lambda\) and \(a = 1\) is Bottou's
    \(\eta_t = \eta_0 (1 + \eta_0\mu t)^{-1}\).

    **References** Robbins & Monro 1951, doi:10.1214/aoms/1177729586; Bottou 2012, doi:10.1007/978-3-642-35289-8_25,
    section 5.2.
    """

    peak: float = real_field()
    every: Any = duration_field(1)
    power: float = real_field(1.0)

    def __check_init__(self):
        check_nonnegative(self, "peak")
        check_positive(self, "power")
        check_duration(self, "every")

    def __call__(self, step: Scalar) -> Scalar:
        """See the class."""
        return self.peak * jnp.power(1 + real(step) / in_steps(self, "every"), -self.power)
