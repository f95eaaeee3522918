"""The MARS wrapper: variance reduction of the gradients."""

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
    """The state of the wrapped rule, the number of updates made, and the last gradient."""

    rule: State
    count: Scalar
    last: Params


class MARS(Rule):
    r"""MARS: the wrapped rule receives gradients with reduced variance, extrapolated along their last change.

    \[ c_t = g_t + \gamma\,\frac{\beta}{1-\beta}\,(g_t - g_{t-1}), \qquad \tilde c_t = c_t\,\min(1, 1/\|c_t\|), \]

    and the wrapped rule receives \(\tilde c_t\). At the first step \(c_0 = g_0\).

    - `rule`: the wrapped rule: `tw.AdamW(3e-3, 0.95, 0.99)` for the paper's MARS-AdamW.
    - `gamma`: \(\gamma\) >= 0, the strength of the variance reduction.
    - `beta`: \(\beta\) in [0, 1), the momentum of the wrapped rule (`b1` of AdamW).
    - `limit`: the largest norm of \(\tilde c\), > 0.
    - `by`: "leaf" to clip every array by its own norm, as in the authors' code; "norm" for the norm over all leaves, as
      in the paper; "value" for every entry by itself.

    This is the paper's approximate form: \(g_{t-1}\) comes from the previous batch, so a step costs one gradient. The
    exact form computes it again, at the previous point on the present batch. Other implementations start with
    \(g_{-1} = 0\), which scales \(c_0\); that makes no difference where \(c_0\) is clipped.

    **Needs** what the wrapped rule needs.
    **Guarantee** None beyond that of the wrapped rule; the paper's rates of convergence are for the exact form.
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
        """Returns a state without a last gradient, and the state of the wrapped rule."""
        return MARSState(self.rule.init(params), jnp.zeros((), jnp.int32), zeros_like(params))

    def update(
        self, grads: Params, state: MARSState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, MARSState]:
        """Returns the wrapped rule's update for the corrected and clipped gradient."""

        def correct(g, last, share):
            return (g + share * (g - last),)

        share = jnp.where(state.count > 0, self.gamma * self.beta / (1 - self.beta), 0)
        (corrected,) = lift(correct, (grads, state.last), share)
        update, inner = self.rule.update(clip_gradient(corrected, self.limit, self.by), state.rule, params, **extra)
        last = jax.tree.map(lambda g, before: g.astype(before.dtype), grads, state.last)
        return update, MARSState(inner, state.count + 1, last)

    def rate(self, state: MARSState) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)
