"""Averages of the iterates: observers in the loop's carry, beside the stop rule. They never change the run."""

import abc
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.duration import check_duration, duration_field, in_steps
from thalweg.core.fields import check_fraction, real_field
from thalweg.core.tree import wide
from thalweg.core.types import Params, Scalar, real


class Mean(NamedTuple):
    """A running mean, in at least float32, and how many points are in it."""

    mean: Params
    count: Scalar


class Average(eqx.Module):
    """What is remembered of `x_1, x_2, ...`, the points to which the steps led."""

    @abc.abstractmethod
    def weight(self, count: Scalar) -> Scalar:
        """The weight in the mean of its newest point, the one of number `count` (from 1 on); 1 for the first.

        1 puts the point in place of all before it, 0 leaves it out.
        """

    def init(self, x: Params) -> Mean:
        """A mean without points, of the shapes of `x`."""
        return Mean(jax.tree.map(lambda leaf: leaf.astype(wide(leaf.dtype)), x), real(0))

    def update(self, state: Mean, x: Params) -> Mean:
        """The mean with one point more: it moves toward `x` by the newest point's weight."""
        count = state.count + 1
        weight = self.weight(count)

        def toward(mean, leaf):
            w = weight.astype(mean.dtype)
            return (1 - w) * mean + w * leaf.astype(mean.dtype)

        return Mean(jax.tree.map(toward, state.mean, x), count)


class EMA(Average):
    r"""Exponential moving average with bias correction.

    \(\bar x_t = \frac{1-\beta}{1-\beta^t}\sum_{s=1}^{t} \beta^{t-s}\,x_s\), kept as
    \(\bar x_t = \bar x_{t-1} + w_t\,(x_t - \bar x_{t-1})\) with \(w_t = (1-\beta)/(1-\beta^t)\), so that the start
    has no part in it and nothing is corrected afterwards. It remembers about \(1/(1-\beta)\) steps.

    - `decay`: \(\beta\) in [0, 1).

    **References** Polyak & Juditsky 1992, doi:10.1137/0330046 (averaging); Kingma & Ba 2015, arXiv:1412.6980 (bias
    correction).
    """

    decay: float = real_field(0.999)

    def __check_init__(self):
        check_fraction(self, "decay")

    def weight(self, count: Scalar) -> Scalar:
        """The weight `w_t`, by `expm1` because in float32 `1 - decay**count` would lose the first steps."""
        decay = real(self.decay)
        total = jnp.where(decay > 0, -jnp.expm1(count * jnp.log(jnp.where(decay > 0, decay, 0.5))), 1)
        return jnp.minimum((1 - decay) / total, 1)


class PolyakRuppert(Average):
    r"""The mean of the iterates from a step on, each with the same weight.

    \(\bar x_T = \frac{1}{T-s+1}\sum_{t=s}^{T} x_t\), with \(x_1\) the first point in it if \(s = 0\). Until step
    \(s\) it is the newest iterate. For stochastic gradient descent on a strongly convex function with slowly falling
    rates no method has a smaller asymptotic variance; with a constant rate the noise of the iterates averages out, but
    the start is forgotten like \(1/T\) only: begin late.

    - `start`: \(s\), whole steps or `tw.Epochs(n)`, counted from the step at which the average itself began: it is not
      the run's where an earlier run without the average is continued.

    **References** Ruppert 1988, Cornell ORIE report 781; Polyak & Juditsky 1992, doi:10.1137/0330046.
    """

    start: Any = duration_field(0)

    def __check_init__(self):
        check_duration(self, "start", low=0, whole_run=False)

    def weight(self, count: Scalar) -> Scalar:
        """One over the number of points in the mean, itself included."""
        return 1 / jnp.maximum(count - jnp.maximum(in_steps(self, "start"), 1) + 1, 1)


class SWA(Average):
    r"""Stochastic weight averaging: the mean of the iterates at the end of every cycle.

    \(\bar x = \frac{1}{k+1}\sum_{j=0}^{k} x_{s+jc}\) over all \(s + jc \ge 1\) that the run has reached; until step
    \(s\) it is the newest iterate. It is made for a rate that is constant or cyclic from step \(s\) on, so that the
    points are different. It equals `torch.optim.swa_utils.AveragedModel` whose `update_parameters` is called after
    steps \(s, s+c, \ldots\); Optax has none. The statistics of batch normalization at the average are not those of
    the run: have them measured anew.

    - `start`: \(s\), whole steps or `tw.Epochs(n)`, counted as in `tw.PolyakRuppert`.
    - `every`: \(c \ge 1\), the cycle's length in whole steps or `tw.Epochs(n)`.

    **References** Izmailov, Podoprikhin, Garipov, Vetrov & Wilson 2018, arXiv:1803.05407.
    """

    start: Any = duration_field()
    every: Any = duration_field(1)

    def __check_init__(self):
        check_duration(self, "start", low=0, whole_run=False)
        check_duration(self, "every", whole_run=False)

    def weight(self, count: Scalar) -> Scalar:
        """One over the number of points at the end of a cycle, 0 between such ends."""
        start, every = in_steps(self, "start"), in_steps(self, "every")
        after = jnp.maximum(count - jnp.where(start > 0, start, every), 0)
        cycles, rest = jnp.divmod(after.astype(jnp.int32), every.astype(jnp.int32))
        return jnp.where(rest == 0, 1 / real(cycles + 1), 0)


class Averaging(NamedTuple):
    """An average and what it has seen: a part of the carry."""

    average: Average
    state: Mean

    def after(self, x: Params) -> Self:
        """The same average with one point more."""
        return self._replace(state=self.average.update(self.state, x))

    def read(self, like: Params) -> Params:
        """The average in the dtypes of `like`."""
        return jax.tree.map(lambda mean, leaf: mean.astype(leaf.dtype), self.state.mean, like)


def check_average(average: Any) -> None:
    """Refuses what is not an average."""
    if average is not None and not isinstance(average, Average):
        raise TypeError(f"average={average!r}: give an average of the iterates, for instance tw.EMA(0.999).")
