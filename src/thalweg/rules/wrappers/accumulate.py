"""Gradient accumulation: large batches from small ones."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, static_field
from thalweg.core.rule import Rule, check_rule, lift, rule_field
from thalweg.core.tree import wide, zeros_like
from thalweg.core.types import Params, Scalar, State


class AccumulateState(NamedTuple):
    """How many gradients have been averaged, their mean in at least float32, and the state of the wrapped rule."""

    count: Scalar
    mean: Params
    rule: State


class Accumulate(Rule):
    r"""Gradient accumulation: the wrapped rule acts at every `batches`-th step, on the mean of so many gradients.

    \[ \bar g \leftarrow \bar g + \frac{g_t - \bar g}{j}, \quad j = 1, \ldots, k; \qquad
       x \leftarrow x + \mathrm{rule}(\bar g) \text{ when } j = k, \text{ else } x. \]

    With batches of equal size this takes the steps of the wrapped rule on batches \(k\) times as large, up to rounding,
    with the memory of a small batch. Schedules of the wrapped rule count its own updates, not the steps of the loop;
    durations in epochs, and None for the whole run, are converted to steps of the loop. So give a schedule inside its
    length in updates.

    - `rule`: the wrapped rule.
    - `batches`: \(k\) >= 1, the number of gradients for one update.

    **Needs** what the wrapped rule needs.
    **Guarantee** That of the wrapped rule on batches \(k\) times as large.
    **References** Goodfellow, Bengio & Courville 2016, deeplearningbook.org, section 8.1.3 (the gradient of a batch is
    the mean of those of its parts).
    """

    rule: Rule = rule_field()
    batches: int = static_field()

    def __check_init__(self):
        check_rule(self)
        check_count(self, "batches")

    def init(self, params: Params) -> AccumulateState:
        """Returns a state with no gradients, and the state of the wrapped rule."""
        mean = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, wide(leaf.dtype)), params)
        return AccumulateState(jnp.zeros((), jnp.int32), mean, self.rule.init(params))

    def update(
        self, grads: Params, state: AccumulateState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, AccumulateState]:
        """Returns the wrapped rule's update at every `batches`-th call, and zeros at the others."""
        count = state.count + 1
        (mean,) = lift(lambda mean, g, j: (mean + (g - mean) / j,), (state.mean, grads), count)

        def act():
            averaged = jax.tree.map(lambda leaf, g: leaf.astype(g.dtype), mean, grads)
            update, rule = self.rule.update(averaged, state.rule, params, **extra)
            return update, AccumulateState(jnp.zeros_like(count), zeros_like(mean), rule)

        def wait():
            return zeros_like(grads), AccumulateState(count, mean, state.rule)

        return jax.lax.cond(count == self.batches, act, wait)

    def rate(self, state: AccumulateState) -> Scalar:
        """Returns the learning rate of the wrapped rule, also at steps at which it does not act."""
        return self.rule.rate(state.rule)
