"""Noise added to gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, real_field
from thalweg.core.rule import Rule, check_rule, key_of, lift, rule_field
from thalweg.core.tree import wide
from thalweg.core.types import Params, Scalar, State, real


class NoiseState(NamedTuple):
    """Updates made, and the rule's state."""

    count: Scalar
    rule: State


class GradientNoise(Rule):
    r"""A rule that sees gradients with normal noise: \(\tilde g_t = g_t + \sigma_t\,\xi_t\).

    \[ \sigma_t^2 = \frac{\sigma^2}{(1+t)^{\gamma}}, \qquad \xi_t \sim \mathcal N(0, I), \quad t = 0, 1, \ldots \]

    - `rule`: the rule around which it stands.
    - `variance`: \(\sigma^2\) >= 0, that of the first step, in the gradient's unit squared.
    - `decay`: \(\gamma\) >= 0.

    The noise comes from the step's random key. In a loop that hands out none it is a function of the step alone.

    **Needs** what its rule needs.
    **Guarantee** The noise has mean 0 and the variance above, independent from entry to entry and from step to step.
    **References** Neelakantan et al. 2015, arXiv:1511.06807.
    """

    rule: Rule = rule_field()
    variance: float = real_field(0.01)
    decay: float = real_field(0.55)

    def __check_init__(self):
        check_rule(self)
        check_nonnegative(self, "variance", "decay")

    def init(self, params: Params) -> NoiseState:
        """The rule's, and no steps made."""
        return NoiseState(jnp.zeros((), jnp.int32), self.rule.init(params))

    def update(
        self, grads: Params, state: NoiseState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, NoiseState]:
        """The rule's, of the noisy gradient."""
        sigma = jnp.sqrt(self.variance / (1 + real(state.count)) ** self.decay)
        noise = normal_like(key_of(extra, state.count), grads)
        (noisy,) = lift(lambda g, xi, sigma: (g + sigma * xi,), (grads, noise), sigma)
        update, inner = self.rule.update(noisy, state.rule, params, **extra)
        return update, NoiseState(state.count + 1, inner)

    def rate(self, state: NoiseState) -> Scalar:
        """The rule's."""
        return self.rule.rate(state.rule)


def normal_like(key: Any, tree: Params) -> Params:
    """Standard normal numbers in the tree's shapes, in at least float32."""
    leaves, treedef = jax.tree.flatten(tree)
    keys = jax.random.split(key, max(len(leaves), 1))
    draws = [jax.random.normal(k, leaf.shape, wide(leaf.dtype)) for k, leaf in zip(keys, leaves, strict=False)]
    return treedef.unflatten(draws)
