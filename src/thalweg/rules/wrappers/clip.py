"""Gradients cut down to size before a rule sees them."""

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_choice, check_positive, real_field, static_field
from thalweg.core.rule import Inner, Rule, check_rule, lift, required, rule_field
from thalweg.core.tree import norm, scaled, wide
from thalweg.core.types import Params, Scalar, ScalarLike
from thalweg.rules.units import axes_of_a_unit, check_outputs

CLIP_MODES = ("norm", "leaf", "value")


class Clip(Rule):
    r"""A rule that sees gradients cut down to a given size.

    \[ \tilde g = g\,\min(1,\ c/\|g\|) \quad\text{with } \|g\| \text{ over all leaves together.} \]

    - `rule`: the rule around which it stands.
    - `limit`: \(c\) > 0.
    - `by`: "norm": as above, the direction stays. "leaf": every array of the tree has a norm, and is cut, of its own.
      "value": \(\tilde g_i = \max(-c, \min(c, g_i))\), entry by entry.

    A zero gradient stays zero, and the norms neither overflow nor underflow.

    **Needs** what its rule needs.
    **Guarantee** The norm (of every leaf, or every entry) is at most \(c\) up to rounding; a gradient within \(c\)
    passes unchanged, bit for bit.
    **References** Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063; Goodfellow, Bengio & Courville 2016,
    deeplearningbook.org, section 10.11.1.
    """

    rule: Rule = rule_field()
    limit: float = real_field(1.0)
    by: str = static_field("norm")

    def __check_init__(self):
        check_rule(self)
        check_positive(self, "limit")
        check_choice(self, "by", CLIP_MODES)

    def init(self, params: Params) -> Inner:
        """The rule's."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """The rule's, of the clipped gradient."""
        update, inner = self.rule.update(clip_gradient(grads, self.limit, self.by), state.rule, params, **extra)
        return update, Inner(inner)

    def rate(self, state: Inner) -> Scalar:
        """The rule's."""
        return self.rule.rate(state.rule)


class AdaptiveClip(Rule):
    r"""A rule that sees gradients clipped by the size of the weights they belong to, unit by unit.

    \[ \tilde g_u = g_u\,\min\!\left(1,\ \lambda\,\frac{\max(\|x_u\|, \varepsilon)}{\|g_u\|}\right) \]

    for every unit \(u\): the weights that lead to one output. A vector is one unit.

    - `rule`: the rule around which it stands.
    - `ratio`: \(\lambda\) > 0, the largest gradient in units of the weights.
    - `eps`: \(\varepsilon\) > 0, the size that units smaller than this count as, so that zero weights can move.
    - `outputs`: which axis of a weight counts outputs: "last", as in `inputs @ weight`, Flax and Haiku; or "first", as
      in `weight @ inputs`, Equinox and PyTorch.

    **Needs** what its rule needs, and in `update` the parameters.
    **Guarantee** \(\|\tilde g_u\| \le \lambda \max(\|x_u\|, \varepsilon)\) up to rounding.
    **References** Brock, De, Smith & Simonyan 2021, arXiv:2102.06171.
    """

    rule: Rule = rule_field()
    ratio: float = real_field(0.01)
    eps: float = real_field(1e-3)
    outputs: str = static_field("last")

    def __check_init__(self):
        check_rule(self)
        check_outputs(self)
        check_positive(self, "ratio", "eps")

    def init(self, params: Params) -> Inner:
        """The rule's."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """The rule's, of the clipped gradient."""
        params = required(self, grads, "params", params)

        def clip(g, x, ratio, eps):
            limit = ratio * jnp.maximum(unit_norms(x, self.outputs), eps)
            return (clip_factor(limit, unit_norms(g, self.outputs)) * g,)

        (clipped,) = lift(clip, (grads, params), self.ratio, self.eps)
        update, inner = self.rule.update(clipped, state.rule, params, **extra)
        return update, Inner(inner)

    def rate(self, state: Inner) -> Scalar:
        """The rule's."""
        return self.rule.rate(state.rule)


def clip_gradient(grads: Params, limit: ScalarLike, by: str) -> Params:
    """A gradient cut down to `limit` by one of `BY`."""
    if by == "value":
        return lift(lambda g, c: (jnp.clip(g, -c, c),), (grads,), limit)[0]
    if by == "leaf":
        return jax.tree.map(lambda g: scaled(clip_factor(limit, norm(g)), g), grads)
    return scaled(clip_factor(limit, norm(grads)), grads)


def clip_factor(limit: Any, length: jax.Array) -> jax.Array:
    """The factor that brings a length down to the limit: 1 for what is within it, a zero length included."""
    limit = jnp.asarray(limit).astype(length.dtype)
    long = length > limit
    return jnp.where(long, limit / jnp.where(long, length, 1), 1)


def unit_norms(array: jax.Array, outputs: str) -> jax.Array:
    """The Euclidean norm of every unit, its axes kept with length 1."""
    squares = jnp.square(array.astype(wide(array.dtype)))
    return jnp.sqrt(jnp.sum(squares, axis=axes_of_a_unit(array.shape, outputs), keepdims=True))
