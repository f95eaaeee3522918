"""Master copies: 16-bit parameters updated through a float32 copy."""

from typing import Any, NamedTuple

import jax

from thalweg.core.rule import Rule, check_rule, required, rule_field
from thalweg.core.tree import add, subtract, wide
from thalweg.core.types import Params, Scalar, State


class MasterState(NamedTuple):
    """The state of the wrapped rule, and the float32 copies; None in place of leaves that need no copy."""

    rule: State
    master: Params


class MasterCopy(Rule):
    r"""Master copy: the wrapped rule updates a float32 copy of bfloat16 and float16 parameters.

    \[ \tilde x_{t+1} = \tilde x_t + \mathrm{rule}(g_t), \qquad x_{t+1} = \operatorname{round}(\tilde x_{t+1}), \]

    so that updates too small to change a 16-bit number add up until they do: next to 1 the numbers of bfloat16 are
    1/128 apart. The update returned leads from \(x_t\) to \(x_{t+1}\), in the dtype of \(x_t\). Leaves of float32 and
    wider have no copy.

    - `rule`: the wrapped rule. It receives gradients and parameters in float32, so its state is float32 too. Use
      `tw.MasterCopy(tw.CompactState(rule))` for less memory.

    The copy is made from the parameters in `init`. Changes made to the parameters elsewhere are undone by the next
    step.

    **Needs** what the wrapped rule needs, and in `update` the parameters.
    **Guarantee** \(\tilde x_t\) are the iterates of the wrapped rule in float32 with the gradients taken at \(x_t\),
    and \(x_t\) is \(\tilde x_t\) rounded. Where an entry shrinks by more than half or changes its sign in one step, the
    update of that step is rounded too: the entry is off by half a unit in the last place of the larger number until the
    next step.
    **References** Micikevicius et al. 2018, arXiv:1710.03740.
    """

    rule: Rule = rule_field()

    def __check_init__(self):
        check_rule(self)

    def init(self, params: Params) -> MasterState:
        """Returns float32 copies of the narrow leaves, and the state of the wrapped rule for them."""
        return MasterState(self.rule.init(_widen(params)), _wide_copies(params))

    def update(
        self, grads: Params, state: MasterState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, MasterState]:
        """Returns the update of the parameters that follows from the wrapped rule's update of the copies."""
        params = required(self, grads, "params", params)
        if params is None:
            return grads, state
        extra = extra | ({"grad": _widen(extra["grad"])} if "grad" in extra else {})
        master = _overlay(params, state.master)
        update, inner = self.rule.update(_widen(grads), state.rule, master, **extra)
        moved = add(master, update)
        rounded = jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), moved, params)
        returned = _overlay(update, _narrow_only(subtract(rounded, params), params))
        return returned, MasterState(inner, _narrow_only(moved, params))

    def rate(self, state: MasterState) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)


def _is_narrow(leaf: Any) -> bool:
    """Whether a leaf has fewer bits than float32."""
    return wide(leaf.dtype) != leaf.dtype


def _widen(tree: Params) -> Params:
    """Returns the tree with its narrow leaves in float32."""
    return jax.tree.map(lambda leaf: leaf.astype(wide(leaf.dtype)), tree)


def _wide_copies(params: Params) -> Params:
    """Returns float32 copies of the narrow leaves, and None in place of the others."""
    return _narrow_only(_widen(params), params)


def _narrow_only(tree: Params, like: Params) -> Params:
    """Returns the leaves of `tree` where `like` is narrow, and None elsewhere."""
    return jax.tree.map(lambda leaf, narrow: leaf if _is_narrow(narrow) else None, tree, like)


def _overlay(tree: Params, some: Params) -> Params:
    """Returns the leaves of `some` where it has one, and those of `tree` elsewhere."""
    return jax.tree.map(lambda leaf, other: leaf if other is None else other, tree, some)
