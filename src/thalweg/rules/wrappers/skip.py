"""Steps that are skipped where the gradient is NaN or infinite."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.rule import Rule, check_rule, rule_field
from thalweg.core.tree import all_finite, zeros_like
from thalweg.core.types import Params, Scalar, State


class SkipState(NamedTuple):
    """The number of skipped steps, and the state of the wrapped rule."""

    skipped: Scalar
    rule: State


class SkipNonfinite(Rule):
    r"""Skip nonfinite gradients: a step whose gradient has a NaN or infinite entry changes nothing.

    \[ x_{t+1} = \begin{cases} x_t + \mathrm{rule}(g_t) & \text{if } g_t \text{ is finite,} \\ x_t & \text{else.}
       \end{cases} \]

    In `tw.minimize` use `on_nonfinite="skip"` instead: it drops such a step together with its batch, and costs nothing
    as long as all numbers are finite. This wrapper is for gradients that are NaN where the value is finite, and for
    training loops of your own.

    - `rule`: the wrapped rule.

    **Needs** what the wrapped rule needs.
    **Guarantee** A gradient that is not finite changes neither the parameters nor the rule's state.
    **References** Micikevicius et al. 2018, arXiv:1710.03740, section 3.2 (overflowed gradients are skipped).
    """

    rule: Rule = rule_field()

    def __check_init__(self):
        check_rule(self)

    def init(self, params: Params) -> SkipState:
        """Returns a count of 0 and the state of the wrapped rule."""
        return SkipState(jnp.zeros((), jnp.int32), self.rule.init(params))

    def update(
        self, grads: Params, state: SkipState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, SkipState]:
        """Returns the wrapped rule's update, or zeros where the gradient is not finite."""

        def act():
            update, inner = self.rule.update(grads, state.rule, params, **extra)
            return update, SkipState(state.skipped, inner)

        def leave_out():
            return zeros_like(grads), SkipState(state.skipped + 1, state.rule)

        return jax.lax.cond(all_finite(grads), act, leave_out)

    def rate(self, state: SkipState) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)
