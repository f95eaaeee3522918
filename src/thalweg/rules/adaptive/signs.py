"""Rules whose update is a sign times the learning rate: Lion, and sign descent."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar
from thalweg.rules.masks import Mask, check_mask, zero_unmasked


class SignState(NamedTuple):
    """The number of updates made, and the running mean of the gradients (None without momentum)."""

    count: Scalar
    m: Params | None


class Lion(Rule):
    r"""Lion: a step of the learning rate in every coordinate, against the sign of a mean of the gradients.

    \[ x_{t+1} = x_t - \eta_t \left( \mathrm{sign}(\beta_1 m_{t-1} + (1-\beta_1)\,g_t) + \lambda\, x_t \right), \qquad
       m_t = \beta_2 m_{t-1} + (1-\beta_2)\,g_t. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule; the paper recommends a third to a tenth of AdamW's.
    - `b1`, `b2`: in [0, 1), or schedules. Unlike in Adam both are for means of the gradient: `b1` for the mean that
      makes the step, `b2` for the mean that is stored.
    - `weight_decay`: \(\lambda\) >= 0, decoupled; as the learning rate is smaller, three to ten times AdamW's. The
      default of Optax is 1e-3. `mask`: which leaves decay, as for `tw.AdamW`.

    An entry whose mean is 0 does not move: the sign of 0 is 0.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general: the steps do not shrink with the gradient. With a constant learning rate it reaches a
    neighborhood of a minimum, as wide as the distance it travels until the means change their sign.
    **References** Chen et al. 2023, arXiv:2302.06675.
    """

    learning_rate: Any = real_field(1e-4)
    b1: Any = real_field(0.9)
    b2: Any = real_field(0.99)
    weight_decay: float = real_field(0.0)
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "weight_decay")
        check_fraction(self, "b1", "b2")
        check_mask(self)

    def init(self, params: Params) -> SignState:
        """Returns a state with the running mean at zero."""
        return SignState(jnp.zeros((), jnp.int32), zeros_like(params))

    def update(
        self, grads: Params, state: SignState, params: Params | None = None, **extra
    ) -> tuple[Params, SignState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)

        def step(g, m, decaying, eta, decay, b1, b2):
            direction = jnp.sign(b1 * m + (1 - b1) * g)
            return -eta * (direction + decay * decaying), b2 * m + (1 - b2) * g

        scalars = self.rate(state), self.weight_decay, at(self.b1, state.count), at(self.b2, state.count)
        update, m = lift(step, (grads, state.m, zero_unmasked(self, params)), *scalars)
        return update, SignState(state.count + 1, m)

    def rate(self, state: SignState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)


class SignSGD(Rule):
    r"""SignSGD: a step of the learning rate in every coordinate, against the gradient's sign; with `beta` it is Signum.

    \[ x_{t+1} = x_t - \eta_t\,\mathrm{sign}(m_t), \qquad m_t = g_t \quad\text{or}\quad
       m_t = \beta m_{t-1} + (1-\beta)\,g_t. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule.
    - `beta`: None for the sign of the gradient; or in [0, 1), or a schedule, for the sign of its running mean.

    An entry whose gradient or mean is 0 does not move: the sign of 0 is 0.

    **Needs** a gradient.
    **Guarantee** On a smooth function with \(\eta \sim 1/\sqrt T\) and batches of size \(T\) the smallest expected
    1-norm of the gradient after \(T\) steps is \(O(1/\sqrt T)\). With small batches and skewed noise it can fail to
    converge (arXiv:1901.09847). Where the objective is a sum over the entries, a constant learning rate brings every
    entry within \(\eta\) of a minimum.
    **References** Bernstein, Wang, Azizzadenesheli & Anandkumar 2018, arXiv:1802.04434.
    """

    learning_rate: Any = real_field(1e-3)
    beta: Any = real_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate")
        check_fraction(self, *(() if self.beta is None else ("beta",)))

    def init(self, params: Params) -> SignState:
        """Returns a state with the running mean at zero, or without one if `beta` is None."""
        return SignState(jnp.zeros((), jnp.int32), None if self.beta is None else zeros_like(params))

    def update(
        self, grads: Params, state: SignState, params: Params | None = None, **extra
    ) -> tuple[Params, SignState]:
        """Returns the update of one step, and the new state."""
        if self.beta is None:
            (update,) = lift(lambda g, eta: (-eta * jnp.sign(g),), (grads,), self.rate(state))
            return update, SignState(state.count + 1, None)

        def step(g, m, eta, beta):
            m = beta * m + (1 - beta) * g
            return -eta * jnp.sign(m), m

        update, m = lift(step, (grads, state.m), self.rate(state), at(self.beta, state.count))
        return update, SignState(state.count + 1, m)

    def rate(self, state: SignState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
