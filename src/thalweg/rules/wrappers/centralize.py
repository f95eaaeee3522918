"""Gradients without their mean."""

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import static_field
from thalweg.core.rule import Inner, Rule, check_rule, lift, rule_field
from thalweg.core.types import Params, Scalar
from thalweg.rules.units import axes_of_a_unit, check_outputs


class Centralize(Rule):
    r"""A rule that sees gradients without the mean of every unit: \(\tilde g_u = g_u - \operatorname{mean}(g_u)\).

    A unit \(u\) is the weights that lead to one output. Vectors and scalars pass unchanged.

    - `rule`: the rule around which it stands.
    - `outputs`: which axis of a weight counts outputs: "last", as in `inputs @ weight`, Flax and Haiku; or "first", as
      in `weight @ inputs`, Equinox and PyTorch.

    **Needs** what its rule needs.
    **Guarantee** Gradient descent and its kin never change the mean of a unit's weights.
    **References** Yong, Huang, Hua & Zhang 2020, arXiv:2004.01461.
    """

    rule: Rule = rule_field()
    outputs: str = static_field("last")

    def __check_init__(self):
        check_rule(self)
        check_outputs(self)

    def init(self, params: Params) -> Inner:
        """The rule's."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """The rule's, of the centralized gradient."""
        (central,) = lift(lambda g: (self.centralized(g),), (grads,))
        update, inner = self.rule.update(central, state.rule, params, **extra)
        return update, Inner(inner)

    def centralized(self, g: jax.Array) -> jax.Array:
        """One array's."""
        if g.ndim < 2 or not g.size:
            return g
        return g - jnp.mean(g, axis=axes_of_a_unit(g.shape, self.outputs), keepdims=True)

    def rate(self, state: Inner) -> Scalar:
        """The rule's."""
        return self.rule.rate(state.rule)
