"""Steps left out where a gradient is lost."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.rule import Rule, check_rule, rule_field
from thalweg.core.tree import all_finite, zeros_like
from thalweg.core.types import Params, Scalar, State


class SkipState(NamedTuple):
    """How many steps were left out, and the rule's state."""

    skipped: Scalar
    rule: State


class SkipNonfinite(Rule):
    r"""A rule that leaves a step out, its memory untouched, where the gradient has an infinite or NaN entry.

    \[ x_{t+1} = \begin{cases} x_t + \mathrm{rule}(g_t) & \text{if } g_t \text{ is finite,} \\ x_t & \text{else.}
       \end{cases} \]

    Inside `minimize` a value that is NaN ends the run before any rule is asked; there
    `minimize(..., on_nonfinite="skip")` drops such a step with its batch, and costs nothing while all goes well. This
    rule is for gradients that are lost where the value is not, and for other people's loops.

    - `rule`: the rule around which it stands.

    **Needs** what its rule needs.
    **Guarantee** A gradient that is not finite changes neither the parameters nor the rule's state.
    **References** Micikevicius et al. 2018, arXiv:1710.03740, section 3.2 (overflowed gradients are skipped).
    """

    rule: Rule = rule_field()

    def __check_init__(self):
        check_rule(self)

    def init(self, params: Params) -> SkipState:
        """The rule's, and nothing skipped."""
        return SkipState(jnp.zeros((), jnp.int32), self.rule.init(params))

    def update(
        self, grads: Params, state: SkipState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, SkipState]:
        """The rule's, or zeros."""

        def act():
            update, inner = self.rule.update(grads, state.rule, params, **extra)
            return update, SkipState(state.skipped, inner)

        def leave_out():
            return zeros_like(grads), SkipState(state.skipped + 1, state.rule)

        return jax.lax.cond(all_finite(grads), act, leave_out)

    def rate(self, state: SkipState) -> Scalar:
        """The rule's."""
        return self.rule.rate(state.rule)
