"""The Lookahead wrapper."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, static_field
from thalweg.core.rule import Rule, check_rule, lift, required, rule_field
from thalweg.core.types import Params, Scalar, State


class LookaheadState(NamedTuple):
    """The state of the wrapped rule, the number of updates made, and the slow weights."""

    rule: State
    count: Scalar
    slow: Params


class Lookahead(Rule):
    r"""Lookahead: the wrapped rule takes \(k\) fast steps, of which slow weights then follow a fraction.

    \[ x_{t+1} = x_t + \mathrm{rule}(g_t); \qquad \text{every } k\text{-th step also}\quad
       \phi \leftarrow \phi + \alpha\,(x_{t+1} - \phi), \quad x_{t+1} \leftarrow \phi. \]

    The reported point is the fast one, \(x_t\), where the gradients are taken. The slow weights \(\phi\) are
    `state.slow`; they equal \(x_t\) after every \(k\)-th step, so stop at a multiple of \(k\) to report them. Optax
    keeps both in the parameters, and leaves the choice to the user.

    - `rule`: the wrapped rule, whose state is not reset when the weights step back.
    - `steps`: \(k\) >= 1. `fraction`: \(\alpha\) in (0, 1].

    **Needs** what the wrapped rule needs, and in `update` the parameters.
    **Guarantee** Where each step of the wrapped rule multiplies the error by \(1 - \rho\), \(k\) steps multiply that of
    the slow weights by \(1 - \alpha + \alpha(1-\rho)^k\).
    **References** Zhang, Lucas, Hinton & Ba 2019, arXiv:1907.08610.
    """

    rule: Rule = rule_field()
    steps: int = static_field(5)
    fraction: float = real_field(0.5)

    def __check_init__(self):
        check_rule(self)
        check_count(self, "steps")
        check_real(self, "fraction", 0.0, 1.0, "in (0, 1]", open_low=True)

    def init(self, params: Params) -> LookaheadState:
        """Returns a state whose slow weights are the parameters."""
        return LookaheadState(self.rule.init(params), jnp.zeros((), jnp.int32), params)

    def update(
        self, grads: Params, state: LookaheadState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, LookaheadState]:
        """Returns the wrapped rule's update, and at every `steps`-th step the one that leads to the slow weights."""
        params = required(self, grads, "params", params)
        update, inner = self.rule.update(grads, state.rule, params, **extra)
        back = (state.count + 1) % self.steps == 0

        def step(u, slow, x, back, fraction):
            kept = slow + fraction * (x + u - slow)
            return jnp.where(back > 0, kept - x, u), jnp.where(back > 0, kept, slow)

        update, slow = lift(step, (update, state.slow, params), back, self.fraction)
        return update, LookaheadState(inner, state.count + 1, slow)

    def rate(self, state: LookaheadState) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)
