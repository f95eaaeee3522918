"""Cautious updates."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, real_field
from thalweg.core.rule import Inner, Rule, check_rule, lift, rule_field
from thalweg.core.types import Params, Scalar


class Cautious(Rule):
    r"""A rule whose update moves only the entries that go down the present gradient.

    For the update \(u\) of every array of the tree, with its \(n\) entries,

    \[ \phi_i = [\,u_i\,g_i < 0\,], \qquad \tilde u = \frac{n}{\xi + \sum_i \phi_i}\,\phi \circ u. \]

    - `rule`: the rule around which it stands: one with momentum, others never disagree with the gradient.
    - `xi`: \(\xi\) > 0 (or 0): what keeps the scale finite where no entry agrees. With the paper's 1 an array
      of \(n\) entries that all agree takes \(n/(n+1)\) of the step: a scalar half of it.

    The mask is about the whole update, decoupled weight decay included; the authors' code decays apart from it. Their
    code divides by \(\max(\mathrm{mean}(\phi), 10^{-3})\), the paper's formula is this one.

    **Needs** what its rule needs.
    **Guarantee** \(\langle \tilde u, g \rangle \le 0\), entry by entry: to first order no step goes up.
    **References** Liang, Chen, Liu & Liu 2024, arXiv:2411.16085.
    """

    rule: Rule = rule_field()
    xi: float = real_field(1.0)

    def __check_init__(self):
        check_rule(self)
        check_nonnegative(self, "xi")

    def init(self, params: Params) -> Inner:
        """The rule's."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """The rule's, where it agrees with the gradient."""
        update, inner = self.rule.update(grads, state.rule, params, **extra)

        def masked(u, g, xi):
            agrees = u * g < 0
            kept = jnp.sum(agrees).astype(u.dtype)
            scale = u.size / jnp.where(kept + xi > 0, kept + xi, 1)
            return (jnp.where(agrees, scale * u, 0),)

        (update,) = lift(masked, (update, grads), self.xi)
        return update, Inner(inner)

    def rate(self, state: Inner) -> Scalar:
        """The rule's."""
        return self.rule.rate(state.rule)
