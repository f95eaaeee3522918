"""Weight decay around any rule, decoupled or as an L2 penalty."""

from typing import Any

from thalweg.core.fields import check_flag, check_nonnegative, fail, real_field, static_field
from thalweg.core.rule import Inner, OptaxRule, Rule, check_rule, lift, required, rule_field
from thalweg.core.types import Params, Scalar
from thalweg.rules.masks import Mask, check_mask, zero_unmasked


class WeightDecay(Rule):
    r"""Weight decay around any rule: decoupled from its update, or as an L2 penalty in its gradient.

    \[ \text{decoupled: } x_{t+1} = x_t + \mathrm{rule}(g_t) - \eta_t\lambda\,x_t, \qquad
       \text{coupled: } x_{t+1} = x_t + \mathrm{rule}(g_t + \lambda\,x_t). \]

    The coupled form minimizes the loss with the penalty \(\tfrac\lambda2\|x\|^2\) added. For `tw.SGD` the two forms are
    the same method. For a rule that divides by the size of the gradients they are not: it divides the penalty too, so
    that weights with large gradients decay less.

    - `rule`: the wrapped rule. \(\eta_t\) is its learning rate; `tw.WeightDecay(tw.Adam(...))` is `tw.AdamW`.
    - `weight_decay`: \(\lambda\) >= 0.
    - `decoupled`: whether the decay is decoupled. Around an Optax transformation it must be False, because its learning
      rate cannot be read; use `optax.add_decayed_weights` inside it for decoupled decay.
    - `mask`: which leaves decay, as for `tw.AdamW`.

    Around a `tw.Partition` the learning rate is that of the first group that is not frozen; inside a group it is the
    group's own.

    **Needs** what the wrapped rule needs, and in `update` the parameters.
    **Guarantee** Coupled: that of the wrapped rule, for the penalized loss. Decoupled: the same around `tw.SGD`; none
    in general, as for `tw.AdamW`.
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
        """Returns the state of the wrapped rule."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """Returns the wrapped rule's update with the decay, and the new state."""
        decaying = zero_unmasked(self, required(self, grads, "params", params))
        if not self.decoupled:
            grads = _add_scaled(grads, decaying, self.weight_decay)
            extra = extra | ({"grad": grads} if "grad" in extra else {})
        update, inner = self.rule.update(grads, state.rule, params, **extra)
        if self.decoupled:
            update = _add_scaled(update, decaying, -self.rate(state) * self.weight_decay)
        return update, Inner(inner)

    def rate(self, state: Inner) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)


def _add_scaled(tree: Params, other: Params, factor: Any) -> Params:
    """Returns `tree + factor * other`, in the dtypes of `tree`."""
    return lift(lambda leaf, x, c: (leaf + c * x,), (tree, other), factor)[0]
