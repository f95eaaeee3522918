"""The Adafactor rule."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import (
    check_count,
    check_flag,
    check_nonnegative,
    check_positive,
    real_field,
    static_field,
)
from thalweg.core.rule import Rule, at, lift, required
from thalweg.core.tree import wide
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.layerwise.sizes import mean_over, root_mean_square
from thalweg.rules.masks import Mask, check_mask, zero_unmasked


class AdafactorState(NamedTuple):
    """The number of updates made, and the mean squares of the gradient by rows and by columns.

    For a leaf that is not factored, `rows` holds the mean squares of all entries, and `columns` a scalar 0.
    """

    count: Scalar
    rows: Params
    columns: Params


class Adafactor(Rule):
    r"""Adafactor: Adam without momentum in sublinear memory; of a matrix it stores mean squares by row and by column.

    For a matrix \(X\) with the gradient \(G\) and \(\hat\beta_t = 1 - t^{-c}\),

    \[ r_t = \hat\beta_t r_{t-1} + (1-\hat\beta_t)\,\mathrm{mean}_j(G_{ij}^2 + \varepsilon_1), \qquad
       c_t = \hat\beta_t c_{t-1} + (1-\hat\beta_t)\,\mathrm{mean}_i(G_{ij}^2 + \varepsilon_1), \]
    \[ U_t = \frac{G_t}{\sqrt{r_t c_t' / \mathrm{mean}(r_t)}}, \qquad
       X_{t+1} = X_t - \eta_t \left( \max(\varepsilon_2, \mathrm{RMS}(X_t))\, \frac{U_t}{\max(1, \mathrm{RMS}(U_t)/d)}
       + \lambda X_t \right). \]

    Where \(X\) has more than two axes, its two largest are the rows and the columns. Vectors, and leaves whose second
    largest axis is shorter than `min_size`, keep a mean square for every entry.

    - `learning_rate`: \(\eta\) >= 0 in units of the weights, or a schedule. The paper uses \(\min(10^{-2}, t^{-1/2})\),
      which is the default during the first \(10^4\) steps.
    - `eps`: \(\varepsilon_1\) > 0, added to the squares.
    - `min_scale`: \(\varepsilon_2\) > 0, the smallest size that weights are taken to have, so that zero weights can
      move.
    - `clip`: \(d\) > 0, the largest root mean square of \(U\).
    - `decay`: \(c\) > 0, how fast the averaging time of the mean squares grows.
    - `weight_decay`: \(\lambda\) >= 0, decoupled; it is multiplied by the learning rate, not by the size of the
      weights.
    - `min_size`: the shortest axis that is factored.
    - `relative`: whether steps are measured in units of the weights; if False, \(\eta\) is the step itself.
    - `mask`: which leaves decay, as for `tw.AdamW`.

    The mean squares are stored in at least float32: \(1 - t^{-0.8}\) rounds to 1 in bfloat16 after a thousand steps.
    Optax's `weight_decay_rate` is not multiplied by the learning rate. PyTorch factors every matrix (`min_size=1`), and
    its learning rate falls like \(t^{-1/2}\) once that is smaller than the given one.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general, as for Adam. Without decay the root mean square of a step is at most
    \(\eta\,d\,\max(\varepsilon_2, \mathrm{RMS}(X))\), so with a constant learning rate it reaches a neighborhood of a
    minimum, unless that is the origin.
    **References** Shazeer & Stern 2018, arXiv:1804.04235, algorithms 4 and 5.
    """

    learning_rate: Any = real_field(1e-2)
    eps: float = real_field(1e-30)
    min_scale: float = real_field(1e-3)
    clip: float = real_field(1.0)
    decay: float = real_field(0.8)
    weight_decay: float = real_field(0.0)
    min_size: int = static_field(128)
    relative: bool = static_field(True)
    mask: Mask | None = static_field(None)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "weight_decay")
        check_positive(self, "eps", "min_scale", "clip", "decay")
        check_count(self, "min_size")
        check_flag(self, "relative")
        check_mask(self)

    def init(self, params: Params) -> AdafactorState:
        """Returns a state with all running means at zero."""

        def zeros(leaf, which):
            return jnp.zeros(_factor_shapes(leaf.shape, self.min_size)[which], wide(leaf.dtype))

        rows, columns = (jax.tree.map(lambda leaf, w=which: zeros(leaf, w), params) for which in (0, 1))
        return AdafactorState(jnp.zeros((), jnp.int32), rows, columns)

    def update(
        self, grads: Params, state: AdafactorState, params: Params | None = None, **extra
    ) -> tuple[Params, AdafactorState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)

        def step(g, rows, columns, x, decaying, beta, eta, eps, min_scale, clip, decay):
            u, rows, columns = self.direction(g, rows, columns, beta, eps)
            u = u / jnp.maximum(1, root_mean_square(u) / clip)
            size = jnp.maximum(min_scale, root_mean_square(x)) if self.relative else 1
            return -eta * (size * u + decay * decaying), rows, columns

        trees = (grads, state.rows, state.columns, params, zero_unmasked(self, params))
        beta = 1 - real(state.count + 1) ** -at(self.decay, state.count)
        numbers = self.eps, self.min_scale, self.clip, self.weight_decay
        update, rows, columns = lift(step, trees, beta, self.rate(state), *numbers)
        return update, AdafactorState(state.count + 1, rows, columns)

    def direction(self, g, rows, columns, beta, eps) -> tuple[jax.Array, ...]:
        """Returns the gradient divided by the root of its factored mean square, and the new means."""
        axes, squares = _factored_axes(g.shape, self.min_size), g**2 + eps
        if axes is None:
            rows = beta * rows + (1 - beta) * squares
            return g / jnp.sqrt(rows), rows, columns
        short, long = axes
        rows = beta * rows + (1 - beta) * mean_over(squares, (long,))
        columns = beta * columns + (1 - beta) * mean_over(squares, (short,))
        # Two divisions: the product of a row's and a column's square may underflow.
        return g / jnp.sqrt(rows / mean_over(rows, (short,))) / jnp.sqrt(columns), rows, columns

    def rate(self, state: AdafactorState) -> Scalar:
        """Returns the learning rate of the next update, in units of the weights if `relative`."""
        return at(self.learning_rate, state.count)


def _factored_axes(shape: tuple[int, ...], min_size: int) -> tuple[int, int] | None:
    """Returns the second largest and the largest axis (the last ones of equals), or None for a leaf not factored."""
    by_size = sorted(range(len(shape)), key=shape.__getitem__)
    return (by_size[-2], by_size[-1]) if len(shape) >= 2 and shape[by_size[-2]] >= min_size else None


def _factor_shapes(shape: tuple[int, ...], min_size: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the shapes of the means by rows and by columns, with as many axes as the leaf."""
    axes = _factored_axes(shape, min_size)
    if axes is None:
        return shape, ()
    short, long = axes
    return (*shape[:long], 1, *shape[long + 1 :]), (*shape[:short], 1, *shape[short + 1 :])
