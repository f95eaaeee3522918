"""The RMSProp rule."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_flag, check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar
from thalweg.rules.adaptive.root import check_eps, root_mean_square_divisor


class RMSPropState(NamedTuple):
    """The number of updates made, the mean of the squares, and, where used, the mean of the gradients and the step."""

    count: Scalar
    v: Params
    m: Params | None
    step: Params | None


class RMSProp(Rule):
    r"""RMSProp: AdaGrad with a running mean in place of the sum, so that the steps do not shrink to zero.

    \[ v_t = \beta v_{t-1} + (1-\beta)\,g_t^2, \qquad x_{t+1} = x_t - \eta_t\, \frac{g_t}{\sqrt{v_t + \varepsilon}}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `beta`: in [0, 1), or a schedule (0.99 in PyTorch).
    - `eps`: \(\varepsilon\) > 0. `eps_place`: "inside" the root as above (Optax), or "outside",
      \(\sqrt{v_t} + \varepsilon\) (PyTorch).
    - `centered`: whether to divide by the standard deviation of the gradients: \(v_t - m_t^2\) takes the place of
      \(v_t\), with the running mean \(m_t\) of the gradients. Rounding can make the difference negative; it then counts
      as 0, where other libraries return NaN.
    - `momentum`: None, or \(\mu\) in [0, 1), or a schedule: \(\mu\) times the previous step is added to the step above,
      as in Graves' paper and in Optax. PyTorch accumulates steps without the learning rate, which makes a difference
      only where the learning rate changes.

    The mean starts at 0 without bias correction, so the first steps are as long as \(\eta/\sqrt{1-\beta}\).

    **Needs** a gradient.
    **Guarantee** None in general: with a constant learning rate the steps do not shrink with the gradient. It reaches a
    neighborhood of a minimum whose size is of the order of \(\eta\).
    **References** Tieleman & Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning",
    cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf; Graves 2013, arXiv:1308.0850, equations 38 to 41
    (centered, with momentum).
    """

    learning_rate: Any = real_field(1e-3)
    beta: Any = real_field(0.9)
    eps: float = real_field(1e-8)
    eps_place: str = static_field("inside")
    centered: bool = static_field(False)
    momentum: Any = real_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate")
        check_fraction(self, "beta", *(() if self.momentum is None else ("momentum",)))
        check_eps(self)
        check_flag(self, "centered")

    def init(self, params: Params) -> RMSPropState:
        """Returns a state with all running means, and the last step, at zero."""
        m = zeros_like(params) if self.centered else None
        step = None if self.momentum is None else zeros_like(params)
        return RMSPropState(jnp.zeros((), jnp.int32), zeros_like(params), m, step)

    def update(
        self, grads: Params, state: RMSPropState, params: Params | None = None, **extra
    ) -> tuple[Params, RMSPropState]:
        """Returns the update of one step, and the new state."""
        momentum = 0.0 if self.momentum is None else at(self.momentum, state.count)
        kept = [tree for tree in (state.m, state.step) if tree is not None]

        def step(g, v, *rest):
            *memory, eta, beta, eps, mu = rest
            v = beta * v + (1 - beta) * g**2
            kept, spread = [], v
            if self.centered:
                kept = [beta * memory[0] + (1 - beta) * g]
                spread = jnp.maximum(v - kept[0] ** 2, 0)
            update = -eta * g / root_mean_square_divisor(spread, eps, self.eps_place)
            if self.momentum is not None:
                update = mu * memory[-1] + update
                kept.append(update)
            return update, v, *kept

        scalars = self.rate(state), at(self.beta, state.count), self.eps, momentum
        update, v, *kept = lift(step, (grads, state.v, *kept), *scalars)
        m = kept[0] if self.centered else None
        return update, RMSPropState(state.count + 1, v, m, None if self.momentum is None else kept[-1])

    def rate(self, state: RMSPropState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
