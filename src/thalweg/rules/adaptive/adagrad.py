"""The AdaGrad rule."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.types import Params, Scalar
from thalweg.rules.adaptive.root import check_eps, root_mean_square_divisor


class AdaGradState(NamedTuple):
    """The number of updates made, and the sum of the squared gradients (`v`)."""

    count: Scalar
    v: Params


class AdaGrad(Rule):
    r"""AdaGrad: every coordinate has its own learning rate, which shrinks as its squared gradients add up.

    \[ v_t = v_{t-1} + g_t^2, \qquad x_{t+1} = x_t - \eta_t\, \frac{g_t}{\sqrt{v_t + \varepsilon}}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule. It is the size of the first step, and the steps shrink by
      themselves, so choose it larger than for Adam.
    - `eps`: \(\varepsilon\) > 0. `eps_place`: "inside" the root as above (Optax), or "outside",
      \(\sqrt{v_t} + \varepsilon\) (the paper, PyTorch).
    - `initial_accumulator`: \(v_0\) >= 0, the same for every entry. The default of PyTorch is 0 too, of Optax 0.1.

    **Needs** a gradient.
    **Guarantee** On convex functions the regret after \(T\) steps is \(O(\sqrt T)\), for any sequence of gradients
    (with \(\varepsilon\) outside the root and bounded iterates). On a smooth, strongly convex function the sum of
    squares converges, so the value falls linearly. On a quadratic with a diagonal Hessian the rate does not depend on
    its condition number.
    **References** Duchi, Hazan & Singer 2011, jmlr.org/papers/v12/duchi11a.html; Xie, Wu & Ward 2020, arXiv:1908.10525
    (the linear rate, of the form with one rate for all coordinates).
    """

    learning_rate: Any = real_field(1e-2)
    eps: float = real_field(1e-8)
    eps_place: str = static_field("inside")
    initial_accumulator: float = real_field(0.0)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "initial_accumulator")
        check_eps(self)

    def init(self, params: Params) -> AdaGradState:
        """Returns a state whose sums of squares are `initial_accumulator`."""
        v = jax.tree.map(lambda leaf: jnp.full_like(leaf, self.initial_accumulator), params)
        return AdaGradState(jnp.zeros((), jnp.int32), v)

    def update(
        self, grads: Params, state: AdaGradState, params: Params | None = None, **extra
    ) -> tuple[Params, AdaGradState]:
        """Returns the update of one step, and the new state."""

        def step(g, v, eta, eps):
            v = v + g**2
            return -eta * g / root_mean_square_divisor(v, eps, self.eps_place), v

        update, v = lift(step, (grads, state.v), self.rate(state), self.eps)
        return update, AdaGradState(state.count + 1, v)

    def rate(self, state: AdaGradState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)
