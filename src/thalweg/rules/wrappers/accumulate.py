"""Large batches out of small ones."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, static_field
from thalweg.core.rule import Rule, check_rule, lift, rule_field
from thalweg.core.tree import wide, zeros_like
from thalweg.core.types import Params, Scalar, State


class AccumulateState(NamedTuple):
    """How many gradients the mean holds, their mean in at least float32, and the rule's state."""

    count: Scalar
    mean: Params
    rule: State


class Accumulate(Rule):
    r"""A rule that acts at every `batches`-th step, on the mean of the gradients since it acted last.

    \[ \bar g \leftarrow \bar g + \frac{g_t - \bar g}{j}, \quad j = 1, \ldots, k; \qquad
       x \leftarrow x + \mathrm{rule}(\bar g) \text{ when } j = k, \text{ else } x. \]

    With batches of equal size this is the rule on batches \(k\) times as large, with the memory of one: to rounding
    the same sequence. Inside, `count` and schedules count the rule's own updates, not the loop's steps; a duration in
    epochs, and None for the whole run, is one of loop steps: give a schedule inside its length in updates.

    - `rule`: the rule around which it stands.
    - `batches`: \(k\) >= 1, gradients for one update.

    **Needs** what its rule needs.
    **Guarantee** That of its rule on batches \(k\) times as large.
    **References** Goodfellow, Bengio & Courville 2016, deeplearningbook.org, section 8.1.3 (the mean over a batch is
    that of its parts).
    """

    rule: Rule = rule_field()
    batches: int = static_field()

    def __check_init__(self):
        check_rule(self)
        check_count(self, "batches")

    def init(self, params: Params) -> AccumulateState:
        """Nothing accumulated."""
        mean = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, wide(leaf.dtype)), params)
        return AccumulateState(jnp.zeros((), jnp.int32), mean, self.rule.init(params))

    def update(
        self, grads: Params, state: AccumulateState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, AccumulateState]:
        """The rule's at every `batches`-th call, else zeros."""
        count = state.count + 1
        (mean,) = lift(lambda mean, g, j: (mean + (g - mean) / j,), (state.mean, grads), count)

        def act():
            whole = jax.tree.map(lambda leaf, g: leaf.astype(g.dtype), mean, grads)
            update, rule = self.rule.update(whole, state.rule, params, **extra)
            return update, AccumulateState(jnp.zeros_like(count), zeros_like(mean), rule)

        def wait():
            return zeros_like(grads), AccumulateState(count, mean, state.rule)

        return jax.lax.cond(count == self.batches, act, wait)

    def rate(self, state: AccumulateState) -> Scalar:
        """The rule's, also at steps at which it does not act."""
        return self.rule.rate(state.rule)
