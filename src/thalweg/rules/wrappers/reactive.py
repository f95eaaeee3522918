"""A learning rate that reacts to the loss: halved when the loss spikes, ten times larger while it barely moves."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.duration import check_duration, duration_field, in_steps
from thalweg.core.fields import check_count, check_fraction, check_real, real_field, static_field
from thalweg.core.rule import Rule, check_rule, required, rule_field
from thalweg.core.tree import scaled
from thalweg.core.types import Params, Scalar, State, real
from thalweg.rules.wrappers.plateau import select_state


class ReactiveState(NamedTuple):
    """The state of the wrapped rule, the scale of its updates, and what is known of the loss.

    - `last`: the loss to compare with. `spiked`: whether it has spiked. `waiting`: averages left in the cooldown.
    - `seen`, `mean`: the steps since the last average, and their mean loss.
    """

    rule: State
    scale: Scalar
    last: Scalar
    spiked: Scalar
    waiting: Scalar
    seen: Scalar
    mean: Scalar


class Reactive(Rule):
    r"""Reactive learning rate: halved when the loss spikes, and made ten times larger while the loss barely moves.

    The update is \(s_t\,u_t\), where \(u_t\) is that of the wrapped rule and \(s_0 = 1\). Losses are averaged over
    \(k\) steps at a time, \(\bar f\) is the last average (the first loss until there is one), and

    - a loss \(f_t > \bar f + (\sigma - 1)\,|\bar f|\), twice the average of a positive loss, is a *spike*: at once
      \(s \leftarrow\) `shrink` \(\cdot\, s\), and the loss itself becomes \(\bar f\): only a further doubling is
      another spike;
    - a new average \(> \bar f - \delta\,|\bar f|\) *barely moves*: \(s \leftarrow\) `grow` \(\cdot\, s\), as long as
      there was no spike yet, not by the first average, and not within `cooldown` averages of the last growth.

    A spike shows that a larger learning rate is too large, so growth ends with the first spike, and the scale cannot
    oscillate.

    - `rule`: the wrapped rule. Its own schedule is multiplied by the scale.
    - `shrink`: in (0, 1). `grow`: >= 1; with 1 the scale never grows.
    - `spike`: \(\sigma\) > 1. `barely`: \(\delta\) in [0, 1).
    - `every`: \(k\) >= 1, whole steps or `tw.Epochs(n)`.
    - `cooldown`: averages to wait after a growth, >= 0.
    - `min_scale`, `max_scale`: the limits of \(s\), in (0, 1] and >= 1. Near a minimum the loss barely moves either;
      with `max_scale=1` the learning rate never exceeds that of the wrapped rule.

    **Needs** what the wrapped rule needs, and in `update` the loss: `value`.
    **Guarantee** None in general. The scale first only grows and then only decreases, so it changes at most
    \(\log_{\text{grow}} s_{\max} + \log_{1/\text{shrink}} s_{\max}/s_{\min}\) times, each rounded up.
    **References** None: the usual advice of courses ("if it spikes, halve the rate; if it barely moves, try ten times
    more") with definitions. Growth by trial is from Bengio 2012, arXiv:1206.5533, section 3.1.
    """

    rule: Rule = rule_field()
    shrink: float = real_field(0.5)
    grow: float = real_field(10.0)
    spike: float = real_field(2.0)
    barely: float = real_field(0.05)
    every: Any = duration_field(10)
    cooldown: int = static_field(1)
    min_scale: float = real_field(1e-3)
    max_scale: float = real_field(1e3)

    def __check_init__(self):
        check_rule(self)
        check_real(self, "shrink", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_real(self, "grow", 1.0, jnp.inf, "a finite number >= 1", open_high=True)
        check_real(self, "spike", 1.0, jnp.inf, "a finite number > 1", open_low=True, open_high=True)
        check_fraction(self, "barely")
        check_duration(self, "every", whole_run=False)
        check_count(self, "cooldown", low=0)
        check_real(self, "min_scale", 0.0, 1.0, "in (0, 1]", open_low=True)
        check_real(self, "max_scale", 1.0, jnp.inf, "a finite number >= 1", open_high=True)

    def init(self, params: Params) -> ReactiveState:
        """Returns a state with a scale of 1 and no losses."""
        count = jnp.zeros((), jnp.int32)
        no = jnp.zeros((), bool)
        # The first average could only be compared with the first loss, so it does not make the scale grow.
        return ReactiveState(self.rule.init(params), real(1.0), real(jnp.inf), no, count + 1, count, real(0.0))

    def update(
        self, grads: Params, state: ReactiveState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, ReactiveState]:
        """Returns the wrapped rule's update times the scale, and the state with the scale of the next update."""
        value = required(self, grads, "value", extra.get("value"))
        update, inner = self.rule.update(grads, state.rule, params, **extra)
        state = state._replace(rule=inner)
        return scaled(state.scale, update), state if value is None else self.after_loss(state, real(value))

    def after_loss(self, state: ReactiveState, value: Scalar) -> ReactiveState:
        """Returns the state after one more loss."""
        state = state._replace(last=jnp.where(jnp.isposinf(state.last), value, state.last))
        seen, size = state.seen + 1, jnp.abs(state.last)
        mean = state.mean + (value - state.mean) / real(seen)
        before = state._replace(seen=seen, mean=mean)
        grows = (mean > state.last - self.barely * size) & ~state.spiked & (state.waiting == 0)
        looked = state._replace(
            scale=jnp.where(grows, jnp.minimum(state.scale * self.grow, self.max_scale), state.scale),
            last=mean,
            waiting=jnp.where(grows, self.cooldown, jnp.maximum(state.waiting - 1, 0)),
            seen=jnp.zeros_like(seen),
            mean=jnp.zeros_like(mean),
        )
        shrunk = looked._replace(
            scale=jnp.maximum(state.scale * self.shrink, self.min_scale), last=value, spiked=jnp.ones_like(state.spiked)
        )
        calm = select_state(real(seen) >= in_steps(self, "every"), looked, before)
        return select_state(value > state.last + (self.spike - 1) * size, shrunk, calm)

    def rate(self, state: ReactiveState) -> Scalar:
        """Returns the learning rate of the wrapped rule times the scale."""
        return self.rule.rate(state.rule) * state.scale
