"""Weights that shrink."""

from typing import Any

from thalweg.core.fields import check_flag, check_nonnegative, fail, real_field, static_field
from thalweg.core.rule import Inner, OptaxRule, Rule, check_rule, lift, required, rule_field
from thalweg.core.types import Params, Scalar
from thalweg.rules.masks import Mask, check_mask, zero_unmasked


class WeightDecay(Rule):
    r"""A rule with weight decay: beside its update, or through its gradient.

    \[ \text{decoupled: } x_{t+1} = x_t + \mathrm{rule}(g_t) - \eta_t\lambda\,x_t, \qquad
       \text{coupled: } x_{t+1} = x_t + \mathrm{rule}(g_t + \lambda\,x_t). \]

    The coupled form is gradient descent on the loss with the penalty \(\tfrac\lambda2\|x\|^2\) added. For
    `tw.SGD` the two are one method. For a rule that divides by the gradients' size they are not: there the penalty is
    divided too, so that weights with large gradients decay less, and its strength relative to the step is not
    \(\lambda\).

    - `rule`: the rule around which it stands. \(\eta_t\) is its learning rate; `tw.WeightDecay(tw.Adam(...))` is
      `tw.AdamW`.
    - `weight_decay`: \(\lambda\) >= 0.
    - `decoupled`: which form. An Optax transformation does not tell its rate: it takes the coupled one, or
      `optax.add_decayed_weights` within.
    - `mask`: None, and every leaf decays; or a function of the parameters that returns their tree with True where a
      leaf decays and False where not, for instance `tw.matrices`.

    Around a `tw.Partition` the rate is that of its first moving group; inside a group it is the group's own.

    **Needs** what its rule needs, and in `update` the parameters.
    **Guarantee** Coupled: its rule's, for the penalized loss. Decoupled: around `tw.SGD` the same; in general none, as
    for `tw.AdamW`.
    **References** Hanson & Pratt 1988 (NIPS 1, "Comparing biases for minimal network construction with
    back-propagation"); Loshchilov & Hutter 2019, arXiv:1711.05101.
    """

    rule: Rule = rule_field()
    weight_decay: float = real_field(1e-2)
    decoupled: bool = static_field(True)
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_rule(self)
        check_nonnegative(self, "weight_decay")
        check_mask(self)
        check_flag(self, "decoupled")
        if self.decoupled and isinstance(self.rule, OptaxRule):
            fail(self, "decoupled", True, "False around an Optax transformation, whose learning rate cannot be read")

    def init(self, params: Params) -> Inner:
        """The rule's."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """The rule's, with the decay."""
        decaying = zero_unmasked(self, required(self, grads, "params", params))
        if not self.decoupled:
            grads = add_scaled(grads, decaying, self.weight_decay)
            extra = extra | ({"grad": grads} if "grad" in extra else {})
        update, inner = self.rule.update(grads, state.rule, params, **extra)
        if self.decoupled:
            update = add_scaled(update, decaying, -self.rate(state) * self.weight_decay)
        return update, Inner(inner)

    def rate(self, state: Inner) -> Scalar:
        """The rule's."""
        return self.rule.rate(state.rule)


def add_scaled(tree: Params, other: Params, factor: Any) -> Params:
    """`tree + factor * other`, in the dtypes of `tree`."""
    return lift(lambda leaf, x, c: (leaf + c * x,), (tree, other), factor)[0]
