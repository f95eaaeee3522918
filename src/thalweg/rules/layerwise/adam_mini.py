"""The Adam-mini rule."""

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.tree import wide, zeros_like
from thalweg.core.types import Params, Scalar
from thalweg.rules.adam import AdamState, adam_scalars
from thalweg.rules.layerwise.sizes import mean_over
from thalweg.rules.masks import Mask, check_mask, zero_unmasked
from thalweg.rules.units import axes_of_a_unit, check_outputs


class AdamMini(Rule):
    r"""Adam-mini: Adam with one second moment for each block of weights, which halves its memory.

    \[ m_t = \beta_1 m_{t-1} + (1-\beta_1)\,g_t, \qquad v^b_t = \beta_2 v^b_{t-1} + (1-\beta_2)\,\mathrm{mean}_{i \in b}
       (g_{t,i}^2), \]
    \[ x_{t+1} = x_t - \eta_t \left( \frac{m_t/(1-\beta_1^t)}{\sqrt{v^b_t/(1-\beta_2^t)} + \varepsilon}
       + \lambda\,x_t \right). \]

    A block is the weights of one output: a slice of a leaf along its output axis. A vector or a scalar is one block.
    The paper, and pytorch_optimizer after it, treat the parts of a transformer by their names: a block is one neuron's
    row there too, but a whole head in queries and keys, and one token's row in the embedding. Use `tw.Partition` to
    give leaves with another layout a rule of their own.

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, outside the root. `weight_decay`: \(\lambda\) >= 0.
    - `outputs`: the output axis of leaves with two or more axes: "last" for `inputs @ weight` (Flax, Haiku), "first"
      for `weight @ inputs` (Equinox, PyTorch) and for embeddings with one row per token.
    - `mask`: which leaves decay, as for `tw.AdamW`.

    The means of blocks are stored in at least float32.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general, as for Adam. With a constant learning rate it reaches a neighborhood of a minimum,
    where its steps stay of the order of \(\eta\).
    **References** Zhang et al. 2024, arXiv:2406.16793.
    """

    learning_rate: Any = real_field(1e-3)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.999)
    eps: float = real_field(1e-8)
    weight_decay: float = real_field(0.0)
    outputs: str = static_field("last")
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "eps", "weight_decay")
        check_fraction(self, "b1", "b2")
        check_outputs(self)
        check_mask(self)

    def init(self, params: Params) -> AdamState:
        """Returns a state with both running means at zero."""

        def block_means(leaf):
            return jnp.zeros(_second_moment_shape(leaf.shape, self.outputs), wide(leaf.dtype))

        return AdamState(jnp.zeros((), jnp.int32), zeros_like(params), jax.tree.map(block_means, params))

    def update(
        self, grads: Params, state: AdamState, params: Params | None = None, **extra
    ) -> tuple[Params, AdamState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)

        def step(g, m, v, decaying, eta, decay, b1, b2, eps, c1, c2):
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * mean_over(g**2, axes_of_a_unit(g.shape, self.outputs))
            return -eta * ((m / c1) / (jnp.sqrt(v / c2) + eps) + decay * decaying), m, v

        trees = (grads, state.m, state.v, zero_unmasked(self, params))
        update, m, v = lift(step, trees, self.rate(state), self.weight_decay, *adam_scalars(self, state))
        return update, AdamState(state.count + 1, m, v)

    def rate(self, state: AdamState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)


def _second_moment_shape(shape: tuple[int, ...], outputs: str) -> tuple[int, ...]:
    """Returns the shape with one entry for each block, and with as many axes as the leaf."""
    inner = axes_of_a_unit(shape, outputs)
    return tuple(1 if axis in inner else size for axis, size in enumerate(shape))
