"""Gradient centralization: the mean of every unit's gradient is subtracted."""

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import static_field
from thalweg.core.rule import Inner, Rule, check_rule, lift, rule_field
from thalweg.core.types import Params, Scalar
from thalweg.rules.units import axes_of_a_unit, check_outputs


class Centralize(Rule):
    r"""Gradient centralization: the wrapped rule receives gradients with the mean of every unit subtracted.

    \[ \tilde g_u = g_u - \operatorname{mean}(g_u) \]

    for every unit \(u\): the weights that lead to one output. Vectors and scalars are not changed.

    - `rule`: the wrapped rule.
    - `outputs`: the output axis of a weight: "last" for `inputs @ weight` (Flax, Haiku), "first" for `weight @ inputs`
      (Equinox, PyTorch).

    **Needs** what the wrapped rule needs.
    **Guarantee** Around a rule whose update is linear in the gradients, such as SGD or Momentum, the mean of a unit's
    weights never changes.
    **References** Yong, Huang, Hua & Zhang 2020, arXiv:2004.01461.
    """

    rule: Rule = rule_field()
    outputs: str = static_field("last")

    def __check_init__(self):
        check_rule(self)
        check_outputs(self)

    def init(self, params: Params) -> Inner:
        """Returns the state of the wrapped rule."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """Returns the wrapped rule's update for the centralized gradient."""
        (central,) = lift(lambda g: (self.centralized(g),), (grads,))
        update, inner = self.rule.update(central, state.rule, params, **extra)
        return update, Inner(inner)

    def centralized(self, g: jax.Array) -> jax.Array:
        """Returns one array with the mean of every unit subtracted."""
        if g.ndim < 2 or not g.size:
            return g
        return g - jnp.mean(g, axis=axes_of_a_unit(g.shape, self.outputs), keepdims=True)

    def rate(self, state: Inner) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)
