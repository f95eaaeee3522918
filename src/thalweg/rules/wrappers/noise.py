"""Gradient noise: normal noise of decreasing variance is added to the gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, real_field
from thalweg.core.rule import Rule, check_rule, key_of, lift, rule_field
from thalweg.core.tree import wide
from thalweg.core.types import Params, Scalar, State, real


class NoiseState(NamedTuple):
    """The number of updates made, and the state of the wrapped rule."""

    count: Scalar
    rule: State


class GradientNoise(Rule):
    r"""Gradient noise: the wrapped rule receives gradients with normal noise of decreasing variance.

    \[ \tilde g_t = g_t + \sigma_t\,\xi_t, \qquad \sigma_t^2 = \frac{\sigma^2}{(1+t)^{\gamma}}, \qquad
       \xi_t \sim \mathcal N(0, I), \quad t = 0, 1, \ldots \]

    - `rule`: the wrapped rule.
    - `variance`: \(\sigma^2\) >= 0, the variance of the first step, in the squared unit of the gradient.
    - `decay`: \(\gamma\) >= 0, how fast the variance decreases.

    The noise is drawn with the step's random key. In a loop that passes no key it depends on the step alone.

    **Needs** what the wrapped rule needs.
    **Guarantee** The noise has mean 0 and the variance above, and is independent across entries and steps.
    **References** Neelakantan et al. 2015, arXiv:1511.06807.
    """

    rule: Rule = rule_field()
    variance: float = real_field(0.01)
    decay: float = real_field(0.55)

    def __check_init__(self):
        check_rule(self)
        check_nonnegative(self, "variance", "decay")

    def init(self, params: Params) -> NoiseState:
        """Returns a count of 0 and the state of the wrapped rule."""
        return NoiseState(jnp.zeros((), jnp.int32), self.rule.init(params))

    def update(
        self, grads: Params, state: NoiseState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, NoiseState]:
        """Returns the wrapped rule's update for the noisy gradient."""
        sigma = jnp.sqrt(self.variance / (1 + real(state.count)) ** self.decay)
        noise = _normal_like(key_of(extra, state.count), grads)
        (noisy,) = lift(lambda g, xi, sigma: (g + sigma * xi,), (grads, noise), sigma)
        update, inner = self.rule.update(noisy, state.rule, params, **extra)
        return update, NoiseState(state.count + 1, inner)

    def rate(self, state: NoiseState) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(state.rule)


def _normal_like(key: Any, tree: Params) -> Params:
    """Returns a tree of the same shapes filled with standard normal numbers, in at least float32."""
    leaves, treedef = jax.tree.flatten(tree)
    keys = jax.random.split(key, max(len(leaves), 1))
    draws = [jax.random.normal(k, leaf.shape, wide(leaf.dtype)) for k, leaf in zip(keys, leaves, strict=False)]
    return treedef.unflatten(draws)
