"""Narrow parameters led by a wide copy of them."""

from typing import Any, NamedTuple

import jax

from thalweg.core.rule import Rule, check_rule, required, rule_field
from thalweg.core.tree import add, subtract, wide
from thalweg.core.types import Params, Scalar, State


class MasterState(NamedTuple):
    """The rule's state, and the wide copies; None in place of leaves that are wide themselves."""

    rule: State
    master: Params


class MasterCopy(Rule):
    r"""A rule for bfloat16 and float16 parameters that works on a float32 copy of them.

    \[ \tilde x_{t+1} = \tilde x_t + \mathrm{rule}(g_t), \qquad x_{t+1} = \operatorname{round}(\tilde x_{t+1}), \]

    so that updates too small to change a narrow number add up until they do: next to 1 the numbers of bfloat16 are
    1/128 apart. The update returned is what leads from \(x_t\) to \(x_{t+1}\), in the dtype of \(x_t\). Leaves of
    float32 and wider have no copy.

    - `rule`: the rule around which it stands. Its state is that of float32 parameters; it sees gradients cast to
      float32. With less memory: `tw.MasterCopy(tw.CompactState(rule))`.

    The copy is made of the parameters at `init`. Parameters that are changed by others afterwards return to it.

    **Needs** what its rule needs, and in `update` the parameters.
    **Guarantee** \(\tilde x_t\) are the iterates of the rule in float32 with the gradients taken at \(x_t\).
    \(x_t\) is \(\tilde x_t\) rounded; where an entry shrinks by more than half, or changes sign, in one step, that
    step's update rounds again and errs by half a unit in the last place of the larger number until the next step.
    **References** Micikevicius et al. 2018, arXiv:1710.03740.
    """

    rule: Rule = rule_field()

    def __check_init__(self):
        check_rule(self)

    def init(self, params: Params) -> MasterState:
        """Copies of the narrow leaves, and the rule's state for wide ones."""
        return MasterState(self.rule.init(widen(params)), wide_copies(params))

    def update(
        self, grads: Params, state: MasterState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, MasterState]:
        """The rule's update of the copies, and what it means for the parameters."""
        params = required(self, grads, "params", params)
        if params is None:
            return grads, state
        extra = extra | ({"grad": widen(extra["grad"])} if "grad" in extra else {})
        master = overlay(params, state.master)
        update, inner = self.rule.update(widen(grads), state.rule, master, **extra)
        moved = add(master, update)
        rounded = jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), moved, params)
        returned = overlay(update, narrow_only(subtract(rounded, params), params))
        return returned, MasterState(inner, narrow_only(moved, params))

    def rate(self, state: MasterState) -> Scalar:
        """The rule's."""
        return self.rule.rate(state.rule)


def is_narrow(leaf: Any) -> bool:
    """Whether a leaf has fewer bits than float32."""
    return wide(leaf.dtype) != leaf.dtype


def widen(tree: Params) -> Params:
    """Narrow leaves in float32."""
    return jax.tree.map(lambda leaf: leaf.astype(wide(leaf.dtype)), tree)


def wide_copies(params: Params) -> Params:
    """Wide copies of the narrow leaves."""
    return narrow_only(widen(params), params)


def narrow_only(tree: Params, like: Params) -> Params:
    """`tree` where `like` is narrow, None elsewhere."""
    return jax.tree.map(lambda leaf, narrow: leaf if is_narrow(narrow) else None, tree, like)


def overlay(tree: Params, some: Params) -> Params:
    """`some` where it has a leaf, `tree` elsewhere."""
    return jax.tree.map(lambda leaf, other: leaf if other is None else other, tree, some)
