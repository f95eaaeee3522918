"""Cautious updates: entries of an update that would increase the loss are masked."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, real_field
from thalweg.core.rule import Inner, Rule, check_rule, lift, rule_field
from thalweg.core.types import Params, Scalar


class Cautious(Rule):
    r"""Cautious updates: only entries of the wrapped rule's update that oppose the present gradient are applied.

    For the update \(u\) of every array of the tree, with its \(n\) entries,

    \[ \phi_i = [\,u_i\,g_i < 0\,], \qquad \tilde u = \frac{n}{\xi + \sum_i \phi_i}\,\phi \circ u. \]

    - `rule`: the wrapped rule. It should have momentum; the updates of other rules always oppose the gradient.
    - `xi`: \(\xi\) >= 0, which keeps the scale finite where no entry is applied. With the paper's 1 an array of \(n\)
      entries that are all applied takes \(n/(n+1)\) of the step: a scalar half of it.

    The mask applies to the whole update, including decoupled weight decay; in the authors' code the decay is not
    masked. Their code divides by \(\max(\mathrm{mean}(\phi), 10^{-3})\); this is the formula of the paper.

    **Needs** what the wrapped rule needs.
    **Guarantee** \(\tilde u_i\,g_i \le 0\) for every entry: to first order no step increases the loss.
    **References** Liang, Chen, Liu & Liu 2024, arXiv:2411.16085.
    """

    rule: Rule = rule_field()
    xi: float = real_field(1.0)

    def __check_init__(self):
        check_rule(self)
        check_nonnegative(self, "xi")

    def init(self, params: Params) -> Inner:
        """Returns the state of the wrapped rule."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """Returns the wrapped rule's update where it opposes the gradient, scaled up, and zeros elsewhere."""
        update, inner = self.rule.update(grads, state.rule, params, **extra)

        def masked(u, g, xi):
            agrees = u * g < 0
            kept = jnp.sum(agrees).astype(u.dtype)
            scale = u.size / jnp.where(kept + xi > 0, kept + xi, 1)
            return (jnp.where(agrees, scale * u, 0),)

        (update,) = lift(masked, (update, grads), self.xi)
        return update, Inner(inner)

    def rate(self, state: Inner) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)
