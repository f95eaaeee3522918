"""A smaller rate where the loss has stopped improving."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.duration import check_duration, duration_field, in_steps
from thalweg.core.fields import check_count, check_fraction, check_real, real_field, static_field
from thalweg.core.rule import Rule, check_rule, required, rule_field
from thalweg.core.tree import scaled
from thalweg.core.types import Params, Scalar, State, real


class PlateauState(NamedTuple):
    """The rule's state and the scale of its updates; the best mean loss, looks without a better one, looks to wait.

    Of the stretch that goes on: the steps seen and their mean loss.
    """

    rule: State
    scale: Scalar
    best: Scalar
    stale: Scalar
    waiting: Scalar
    seen: Scalar
    mean: Scalar


class ReduceOnPlateau(Rule):
    r"""A rule whose updates are scaled down whenever the loss has stopped improving.

    The update is \(s_t\,u_t\), with \(u_t\) the rule's and \(s_0 = 1\). Once in every \(k\) steps there is a look at
    the mean \(\bar f\) of their losses: it is an improvement if
    \(\bar f < f_{\text{best}} - \delta\,|f_{\text{best}}|\), and becomes \(f_{\text{best}}\). After \(p\) looks in
    a row without one, \(s\) is multiplied by `factor`.

    - `rule`: the rule around which it stands. Its schedule, a warm-up for instance, goes on below the scale.
    - `factor`: in (0, 1). `patience`: \(p\) >= 1, in looks.
    - `relative`: \(\delta\) in [0, 1), the least improvement that counts, as a fraction.
    - `every`: \(k\) >= 1, the steps between two looks, whole steps or `tw.Epochs(n)`: the loss of one batch is too
      noisy to compare.
    - `cooldown`: looks after a reduction during which none is counted against the patience.
    - `min_scale`: in [0, 1), below which \(s\) does not fall.

    A lower scale holds from the next update on, so that the rate in the trace is the one that was used; Optax's
    `reduce_on_plateau` applies it within the same update, and is otherwise the same for a positive loss. There a
    negative loss improves by getting worse, because `relative` is taken as a factor.

    **Needs** what its rule needs, and in `update` the loss: `value`.
    **Guarantee** None in general: the scale never rises, and falls at most once in `patience` looks.
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
        """Nothing seen."""
        zero, count = real(0.0), jnp.zeros((), jnp.int32)
        return PlateauState(self.rule.init(params), real(1.0), real(jnp.inf), count, count, count, zero)

    def update(
        self, grads: Params, state: PlateauState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, PlateauState]:
        """The rule's update times the scale; then what the loss says about the scale."""
        value = required(self, grads, "value", extra.get("value"))
        update, inner = self.rule.update(grads, state.rule, params, **extra)
        state = state._replace(rule=inner)
        return scaled(state.scale, update), state if value is None else self.after_loss(state, real(value))

    def after_loss(self, state: PlateauState, value: Scalar) -> PlateauState:
        """The state after one more loss."""
        seen = state.seen + 1
        mean = state.mean + (value - state.mean) / real(seen)
        # Before the first look the best is infinite, and infinity minus a part of it is not a number.
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
        """The rule's, times the scale."""
        return self.rule.rate(state.rule) * state.scale


def select_state(condition: Scalar, after: Any, before: Any) -> Any:
    """The numbers of one state or of another around the same state of the rule, in the dtypes of the second."""
    pairs = zip(after[1:], before[1:], strict=True)
    return type(before)(before.rule, *(jnp.where(condition, a, b).astype(b.dtype) for a, b in pairs))
