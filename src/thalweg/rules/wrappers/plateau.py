"""A learning rate that is reduced when the loss stops improving."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.duration import check_duration, duration_field, in_steps
from thalweg.core.fields import check_count, check_fraction, check_real, real_field, static_field
from thalweg.core.rule import Rule, check_rule, required, rule_field
from thalweg.core.tree import scaled
from thalweg.core.types import Params, Scalar, State, real


class PlateauState(NamedTuple):
    """The state of the wrapped rule, the scale of its updates, and what is known of the loss.

    - `best`: the lowest mean loss. `stale`: checks since then. `waiting`: checks left in the cooldown.
    - `seen`, `mean`: the steps since the last check, and their mean loss.
    """

    rule: State
    scale: Scalar
    best: Scalar
    stale: Scalar
    waiting: Scalar
    seen: Scalar
    mean: Scalar


class ReduceOnPlateau(Rule):
    r"""Reduce on plateau: the updates of the wrapped rule are scaled down when the loss stops improving.

    The update is \(s_t\,u_t\), where \(u_t\) is that of the wrapped rule and \(s_0 = 1\). Every \(k\) steps the mean
    \(\bar f\) of their losses is checked: it is an improvement if
    \(\bar f < f_{\text{best}} - \delta\,|f_{\text{best}}|\), and then becomes \(f_{\text{best}}\). After \(p\) checks
    in a row without an improvement, \(s\) is multiplied by `factor`.

    - `rule`: the wrapped rule. Its own schedule, for instance a warm-up, is multiplied by the scale.
    - `factor`: in (0, 1). `patience`: \(p\) >= 1, in checks.
    - `relative`: \(\delta\) in [0, 1), the smallest relative improvement that counts.
    - `every`: \(k\) >= 1, the steps between two checks, whole steps or `tw.Epochs(n)`. Use an epoch on mini-batches:
      the loss of a single batch is too noisy to compare.
    - `cooldown`: checks after a reduction that are not counted.
    - `min_scale`: in [0, 1), the smallest \(s\).

    A reduced scale applies from the next update on, so that the learning rate in the trace is the one that was used.
    Optax's `reduce_on_plateau` applies it in the same update, and is otherwise the same for a positive loss. There a
    negative loss counts as improved when it gets worse, because `relative` is taken as a factor.

    **Needs** what the wrapped rule needs, and in `update` the loss: `value`.
    **Guarantee** None in general. The scale never increases, and decreases at most once in `patience` checks.
    **References** He, Zhang, Ren & Sun 2016, arXiv:1512.03385, section 3.4 ("divided by 10 when the error plateaus").
    """

    rule: Rule = rule_field()
    factor: float = real_field(0.1)
    patience: int = static_field(10)
    relative: float = real_field(1e-4)
    every: Any = duration_field(1)
    cooldown: int = static_field(0)
    min_scale: float = real_field(0.0)

    def __check_init__(self):
        check_rule(self)
        check_real(self, "factor", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_count(self, "patience")
        check_count(self, "cooldown", low=0)
        check_fraction(self, "relative", "min_scale")
        check_duration(self, "every", whole_run=False)

    def init(self, params: Params) -> PlateauState:
        """Returns a state with a scale of 1 and no losses."""
        zero, count = real(0.0), jnp.zeros((), jnp.int32)
        return PlateauState(self.rule.init(params), real(1.0), real(jnp.inf), count, count, count, zero)

    def update(
        self, grads: Params, state: PlateauState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, PlateauState]:
        """Returns the wrapped rule's update times the scale, and the state with the scale of the next update."""
        value = required(self, grads, "value", extra.get("value"))
        update, inner = self.rule.update(grads, state.rule, params, **extra)
        state = state._replace(rule=inner)
        return scaled(state.scale, update), state if value is None else self.after_loss(state, real(value))

    def after_loss(self, state: PlateauState, value: Scalar) -> PlateauState:
        """Returns the state after one more loss."""
        seen = state.seen + 1
        mean = state.mean + (value - state.mean) / real(seen)
        # Before the first check `best` is infinite, and infinity minus a fraction of it is NaN.
        goal = jnp.where(jnp.isfinite(state.best), state.best - self.relative * jnp.abs(state.best), state.best)
        better = mean < goal
        stale, waits = jnp.where(better, 0, state.stale + 1), state.waiting > 0
        falls = ~waits & (stale >= self.patience)
        after = PlateauState(
            state.rule,
            jnp.where(falls, jnp.maximum(state.scale * self.factor, self.min_scale), state.scale),
            jnp.where(better, mean, state.best),
            jnp.where(waits | falls, 0, stale),
            jnp.where(waits, state.waiting - 1, jnp.where(falls, self.cooldown, 0)),
            jnp.zeros_like(seen),
            jnp.zeros_like(mean),
        )
        before = state._replace(seen=seen, mean=mean)
        return select_state(real(seen) >= in_steps(self, "every"), after, before)

    def rate(self, state: PlateauState) -> Scalar:
        """Returns the learning rate of the wrapped rule times the scale."""
        return self.rule.rate(state.rule) * state.scale


def select_state(condition: Scalar, after: Any, before: Any) -> Any:
    """Returns `after` where the condition holds, else `before`; the wrapped rule's state is that of `before`."""
    pairs = zip(after[1:], before[1:], strict=True)
    return type(before)(before.rule, *(jnp.where(condition, a, b).astype(b.dtype) for a, b in pairs))
