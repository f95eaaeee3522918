"""Gradient clipping: by global norm, by leaf, by value, and relative to the weights."""

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
    r"""Gradient clipping: the wrapped rule receives gradients of at most a given norm.

    \[ \tilde g = g\,\min(1,\ c/\|g\|) \quad\text{with } \|g\| \text{ over all leaves together.} \]

    - `rule`: the wrapped rule.
    - `limit`: \(c\) > 0.
    - `by`: "norm" for the norm over all leaves, as above, which keeps the direction; "leaf" for every array by its own
      norm; "value" for every entry by itself, \(\tilde g_i = \max(-c, \min(c, g_i))\).

    A zero gradient stays zero, and the norms neither overflow nor underflow.

    **Needs** what the wrapped rule needs.
    **Guarantee** The norm (of every leaf, or of every entry) is at most \(c\) up to rounding; a gradient within \(c\)
    is not changed at all.
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
        """Returns the state of the wrapped rule."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """Returns the wrapped rule's update for the clipped gradient."""
        update, inner = self.rule.update(clip_gradient(grads, self.limit, self.by), state.rule, params, **extra)
        return update, Inner(inner)

    def rate(self, state: Inner) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)


class AdaptiveClip(Rule):
    r"""Adaptive gradient clipping: every unit's gradient is clipped relative to the norm of its weights.

    \[ \tilde g_u = g_u\,\min\!\left(1,\ \lambda\,\frac{\max(\|x_u\|, \varepsilon)}{\|g_u\|}\right) \]

    for every unit \(u\): the weights that lead to one output. A vector is one unit.

    - `rule`: the wrapped rule.
    - `ratio`: \(\lambda\) > 0, the largest ratio of a gradient's norm to that of its weights.
    - `eps`: \(\varepsilon\) > 0, the smallest norm that weights are taken to have, so that zero weights can move.
    - `outputs`: the output axis of a weight: "last" for `inputs @ weight` (Flax, Haiku), "first" for `weight @ inputs`
      (Equinox, PyTorch).

    **Needs** what the wrapped rule needs, and in `update` the parameters.
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
        """Returns the state of the wrapped rule."""
        return Inner(self.rule.init(params))

    def update(self, grads: Params, state: Inner, params: Params | None = None, **extra: Any) -> tuple[Params, Inner]:
        """Returns the wrapped rule's update for the clipped gradient."""
        params = required(self, grads, "params", params)

        def clip(g, x, ratio, eps):
            limit = ratio * jnp.maximum(_unit_norms(x, self.outputs), eps)
            return (_clip_factor(limit, _unit_norms(g, self.outputs)) * g,)

        (clipped,) = lift(clip, (grads, params), self.ratio, self.eps)
        update, inner = self.rule.update(clipped, state.rule, params, **extra)
        return update, Inner(inner)

    def rate(self, state: Inner) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)


def clip_gradient(grads: Params, limit: ScalarLike, by: str) -> Params:
    """Returns the gradient clipped at `limit` in one of `CLIP_MODES`."""
    if by == "value":
        return lift(lambda g, c: (jnp.clip(g, -c, c),), (grads,), limit)[0]
    if by == "leaf":
        return jax.tree.map(lambda g: scaled(_clip_factor(limit, norm(g)), g), grads)
    return scaled(_clip_factor(limit, norm(grads)), grads)


def _clip_factor(limit: Any, length: jax.Array) -> jax.Array:
    """Returns the factor that reduces a length to the limit: 1 where the length is within it."""
    limit = jnp.asarray(limit).astype(length.dtype)
    long = length > limit
    return jnp.where(long, limit / jnp.where(long, length, 1), 1)


def _unit_norms(array: jax.Array, outputs: str) -> jax.Array:
    """Returns the Euclidean norm of every unit; the axes of a unit stay as axes of length 1."""
    squares = jnp.square(array.astype(wide(array.dtype)))
    return jnp.sqrt(jnp.sum(squares, axis=axes_of_a_unit(array.shape, outputs), keepdims=True))
