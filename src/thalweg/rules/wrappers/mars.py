"""MARS."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import (
    check_choice,
    check_fraction,
    check_nonnegative,
    check_positive,
    real_field,
    static_field,
)
from thalweg.core.rule import Rule, check_rule, lift, rule_field
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar, State
from thalweg.rules.wrappers.clip import CLIP_MODES, clip_gradient


class MARSState(NamedTuple):
    """The rule's state, the updates made, and the last gradient."""

    rule: State
    count: Scalar
    last: Params


class MARS(Rule):
    r"""A rule that sees gradients with their variance reduced: moved on by a part of their last change.

    \[ c_t = g_t + \gamma\,\frac{\beta}{1-\beta}\,(g_t - g_{t-1}), \qquad \tilde c_t = c_t\,\min(1, 1/\|c_t\|), \]

    and the rule's update is that of \(\tilde c_t\). At the first step there is no change: \(c_0 = g_0\).

    - `rule`: the rule around which it stands: `tw.AdamW(3e-3, 0.95, 0.99)` for the paper's MARS-AdamW.
    - `gamma`: \(\gamma\) >= 0, how much of the reduction is made. `beta`: \(\beta\) in [0, 1), the rule's first one.
    - `limit`: the largest norm of \(\tilde c\), > 0. `by`: "leaf": every array of the tree has a norm, and is cut, of
      its own, as in the authors' code. "norm": all leaves together, as the paper writes it. "value": entry by entry.

    This is the paper's approximate form: the last gradient is that of the last batch, so a step costs one gradient;
    the exact form takes it again at the last point on the present batch. Other codes begin with \(g_{-1} = 0\), which
    scales \(c_0\): no difference where it is longer than `limit`.

    **Needs** what its rule needs.
    **Guarantee** None beyond the rule's; the paper's rates are for the exact form.
    **References** Yuan, Liu, Wu, Zhou & Gu 2024, arXiv:2411.10438.
    """

    rule: Rule = rule_field()
    gamma: float = real_field(0.025)
    beta: float = real_field(0.95)
    limit: float = real_field(1.0)
    by: str = static_field("leaf")

    def __check_init__(self):
        check_rule(self)
        check_nonnegative(self, "gamma")
        check_fraction(self, "beta")
        check_positive(self, "limit")
        check_choice(self, "by", CLIP_MODES)

    def init(self, params: Params) -> MARSState:
        """No gradient yet."""
        return MARSState(self.rule.init(params), jnp.zeros((), jnp.int32), zeros_like(params))

    def update(
        self, grads: Params, state: MARSState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, MARSState]:
        """The rule's, of the corrected gradient."""

        def correct(g, last, share):
            return (g + share * (g - last),)

        share = jnp.where(state.count > 0, self.gamma * self.beta / (1 - self.beta), 0)
        (corrected,) = lift(correct, (grads, state.last), share)
        update, inner = self.rule.update(clip_gradient(corrected, self.limit, self.by), state.rule, params, **extra)
        last = jax.tree.map(lambda g, before: g.astype(before.dtype), grads, state.last)
        return update, MARSState(inner, state.count + 1, last)

    def rate(self, state: MARSState) -> Scalar:
        """The rule's."""
        return self.rule.rate(state.rule)
