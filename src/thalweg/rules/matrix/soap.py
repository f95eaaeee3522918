"""The SOAP rule."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_fraction, check_nonnegative, real_field, static_field
from thalweg.core.rule import Rule, at, required
from thalweg.core.tree import wide, zeros_like
from thalweg.core.types import Params, Scalar
from thalweg.rules.adam import AdamState, adam_direction, adam_scalars
from thalweg.rules.matrix.shapes import (
    FULL_PRECISION,
    as_batch,
    gram_matrix,
    is_matrix,
    map_by_shape,
    map_rows,
    mode_product,
)

AxisMatrices = tuple[jax.Array | None, ...]


class SOAPState(NamedTuple):
    """The number of gradients seen, Adam's means (`v` in the eigenbasis), Shampoo's factors and their eigenvectors.

    `factors` and `bases` have one entry for each leaf of the parameters: a tuple with one batch of matrices per axis,
    or None for an axis that keeps its own basis.
    """

    count: Scalar
    m: Params
    v: Params
    factors: tuple[AxisMatrices, ...]
    bases: tuple[AxisMatrices, ...]


class SOAP(Rule):
    r"""SOAP: Adam in the slowly updated eigenbasis of Shampoo's factors.

    \[ L_t = \beta_2 L_{t-1} + (1-\beta_2)\, G_t G_t^\top, \qquad R_t = \beta_2 R_{t-1} + (1-\beta_2)\, G_t^\top G_t, \]
    \[ M_t = \beta_1 M_{t-1} + (1-\beta_1)\, G_t, \qquad
       V_t = \beta_2 V_{t-1} + (1-\beta_2)\, (Q_L^\top G_t Q_R)^2, \]
    \[ X_{t+1} = X_t - \eta_t \Bigl( Q_L\, \frac{Q_L^\top M_t Q_R/(1-\beta_1^t)}{\sqrt{V_t/(1-\beta_2^t)} + \varepsilon}
       \, Q_R^\top + \lambda X_t \Bigr). \]

    \(Q_L, Q_R\) approximate the eigenvectors of \(L, R\): those of the first gradient's factors, updated every `every`
    steps by \(Q \leftarrow \mathrm{qr}(L Q)\), one step of orthogonal iteration. A tensor has a factor for each of its
    axes; vectors and scalars have none, and for them the rule is AdamW.

    As in the authors' code the first gradient only initializes the bases: the first update is zero, and Adam's means
    start with the second gradient. Before the bases are updated their columns, and the entries of \(V\) with them, are
    sorted by the estimated eigenvalues.

    - `learning_rate`: \(\eta\) >= 0, or a schedule; it multiplies the decay too. `b1`, `b2`: in [0, 1), or schedules.
    - `eps`: \(\varepsilon\) >= 0, added outside the root and after the bias correction, as in `tw.Adam`; the authors'
      code adds it to \(\sqrt{V_t}\) before the correction.
    - `weight_decay`: \(\lambda\) >= 0, decoupled. `every`: steps between two updates of the bases, >= 1.
    - `max_size`: >= 1. An axis longer than this has no factor and keeps its own basis.
    - `stacked`: how many leading axes stack separate parameters: 1 where layers are scanned.

    Factors and bases are stored and computed in at least float32.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general, as for Adam. With a constant learning rate it reaches a neighborhood of a minimum,
    where its steps stay of the order of \(\eta\).
    **References** Vyas et al. 2024, arXiv:2409.11321.
    """

    learning_rate: Any = real_field(3e-3)
    b1: Any = real_field(0.95)
    b2: Any = real_field(0.95)
    eps: float = real_field(1e-8)
    weight_decay: float = real_field(0.01)
    every: int = static_field(10)
    max_size: int = static_field(10000)
    stacked: int = static_field(0)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "eps", "weight_decay")
        check_fraction(self, "b1", "b2")
        check_count(self, "every", "max_size")
        check_count(self, "stacked", low=0)

    def init(self, params: Params) -> SOAPState:
        """Returns a state with all means and factors at zero."""

        def empty(leaf):
            if not is_matrix(leaf, self.stacked):
                return ()
            count = len(as_batch(leaf, self.stacked))
            return tuple(
                jnp.zeros((count, n, n), wide(leaf.dtype)) if n <= self.max_size else None
                for n in leaf.shape[self.stacked :]
            )

        factors = tuple(map(empty, jax.tree.leaves(params)))
        start = jnp.zeros((), jnp.int32)
        return SOAPState(start, zeros_like(params), zeros_like(params), factors, zeros_like(factors))

    def update(
        self, grads: Params, state: SOAPState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, SOAPState]:
        """Returns the update of one step, and the new state."""
        params = required(self, grads, "params", params)
        moving = state.count > 0
        # Adam's own count begins with the second gradient.
        adam = AdamState(jnp.maximum(state.count - 1, 0), state.m, state.v)
        scalars, eta = adam_scalars(self, adam), self.rate(state)

        def step(g, x, m, v, factors, bases):
            dtype = wide(g.dtype)
            b1, b2, *rest = (jnp.asarray(s).astype(dtype) for s in scalars)
            grad, mean, square = (a.astype(dtype) for a in (g, m, v))
            there, mean_there = (_to_eigenbasis(a, bases, self.stacked) for a in (grad, mean))
            d, _, square = adam_direction(there, mean_there, square, b1, b2, *rest)
            d = _to_eigenbasis(d, tuple(None if q is None else q.mT for q in bases), self.stacked)
            decay = jnp.asarray(self.weight_decay).astype(dtype) * x.astype(dtype)
            update = jnp.where(moving, -eta.astype(dtype) * (d + decay), 0)
            mean, square = (jnp.where(moving, b1 * mean + (1 - b1) * grad, 0), jnp.where(moving, square, 0))
            own = as_batch(grad, self.stacked) if factors else grad
            factors = tuple(
                None if f is None else b2 * f + (1 - b2) * gram_matrix(own, axis) for axis, f in enumerate(factors)
            )
            return update.astype(g.dtype), mean.astype(m.dtype), square.astype(v.dtype), factors

        leaves, structure = jax.tree.flatten(grads)
        columns = [leaves, *(structure.flatten_up_to(tree) for tree in (params, state.m, state.v))]
        update, m, v, factors = map_rows(4, step, *columns, state.factors, state.bases)
        bases, v = self.updated_bases(state.count, factors, state.bases, v)
        trees = [structure.unflatten(column) for column in (update, m, v)]
        return trees[0], SOAPState(state.count + 1, trees[1], trees[2], factors, bases)

    def rate(self, state: SOAPState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)

    def updated_bases(self, count: Scalar, factors: Any, bases: Any, v: tuple) -> tuple[Any, tuple]:
        """Returns the bases for the next step, and the mean squares in the order of their columns."""
        matrices, structure = jax.tree.flatten(factors)
        columns = jax.tree.leaves(bases)

        def made():
            vectors = map_by_shape(lambda f: (jnp.linalg.eigh(f)[1][:, :, ::-1],), matrices)
            return structure.unflatten([q for (q,) in vectors]), v

        def refreshed():
            done = map_by_shape(_orthogonal_iteration, matrices, columns)
            orders = structure.unflatten([by for _, by in done])
            (sorted_v,) = map_rows(1, lambda leaf, by: (_permute_axes_by(leaf, by, self.stacked),), v, orders)
            return structure.unflatten([q for q, _ in done]), sorted_v

        due = jnp.where(count == 0, 0, jnp.where(count % self.every == 0, 1, 2))
        return jax.lax.switch(due, (made, refreshed, lambda: (bases, v)))


def _orthogonal_iteration(factors: jax.Array, bases: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns bases one step closer to the eigenvectors, largest eigenvalue first, and the order of the old columns."""
    product = jnp.matmul(factors, bases, precision=FULL_PRECISION)
    order = jnp.argsort(-jnp.sum(bases * product, axis=1), axis=1)
    return jnp.linalg.qr(jnp.take_along_axis(product, order[:, None, :], axis=2))[0], order


def _to_eigenbasis(leaf: jax.Array, bases: AxisMatrices, stacked: int) -> jax.Array:
    """Returns the leaf multiplied by `Q'` along every axis that has a basis `Q`."""
    if not bases:
        return leaf
    tensors = as_batch(leaf, stacked)
    for axis, q in enumerate(bases):
        tensors = tensors if q is None else mode_product(q.mT, tensors, axis)
    return tensors.reshape(leaf.shape)


def _permute_axes_by(leaf: jax.Array, orders: AxisMatrices, stacked: int) -> jax.Array:
    """Returns the leaf with the entries along every axis that has a basis in the order of its columns."""
    if not orders:
        return leaf
    tensors = as_batch(leaf, stacked)
    for axis, order in enumerate(orders):
        if order is not None:
            shape = [len(tensors)] + [1] * (tensors.ndim - 1)
            shape[axis + 1] = order.shape[1]
            tensors = jnp.take_along_axis(tensors, order.reshape(shape), axis=axis + 1)
    return tensors.reshape(leaf.shape)
