"""The Shampoo rule."""

import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import (
    check_choice,
    check_count,
    check_fraction,
    check_nonnegative,
    check_positive,
    check_real,
    real_field,
    static_field,
)
from thalweg.core.rule import Rule, at, lift
from thalweg.core.tree import wide, zeros_like
from thalweg.core.types import Params, Scalar, real
from thalweg.rules.matrix.shapes import (
    FULL_PRECISION,
    gram_matrix,
    is_matrix,
    item_axes,
    map_by_shape,
    map_rows,
    mode_product,
)

_GRAFT_MODES = ("none", "sgd", "adagrad")


class ShampooState(NamedTuple):
    """The number of updates made, the mean of the gradients, the preconditioner factors, and the inverse roots in use.

    `squares`, `factors` and `roots` have one entry for each leaf of the parameters: in `squares` an array where the
    diagonal is used, else None; in `factors` and `roots` a tuple with one batch of matrices (one per block) per axis.
    """

    count: Scalar
    m: Params
    squares: tuple[jax.Array | None, ...]
    factors: tuple[tuple[jax.Array, ...], ...]
    roots: tuple[tuple[jax.Array, ...], ...]


class Shampoo(Rule):
    r"""Shampoo: AdaGrad with a full matrix for each axis of a parameter instead of one number for each entry.

    \[ L_t = L_{t-1} + G_t G_t^\top, \quad R_t = R_{t-1} + G_t^\top G_t, \quad M_t = \beta_1 M_{t-1} +
       (1-\beta_1)\, G_t, \quad X_{t+1} = X_t - \eta_t\, L_t^{-1/4}\, M_t\, R_t^{-1/4} \]

    for a matrix. A tensor of \(k\) axes has a factor for each of them, with the exponent \(-1/2k\). For vectors and
    scalars the rule is AdaGrad with momentum: \(v_t = v_{t-1} + g_t^2\) and
    \(x_{t+1} = x_t - \eta_t\, v_t^{-1/2} m_t\).

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `b1`: \(\beta_1\) in [0, 1), or a schedule.
    - `b2`: \(\beta_2\) in [0, 1], or a schedule. 1 for sums, as above; less for running means,
      \(L_t = \beta_2 L_{t-1} + (1-\beta_2) G_t G_t^\top\), divided by \(1-\beta_2^t\) as bias correction.
    - `eps`: > 0. The roots are of \(L + \varepsilon\lambda_{\max}(L)\, I\) and \(v + \varepsilon \max v\): relative,
      so that the unit of the loss does not matter. The paper starts from \(L_0 = \varepsilon I\) instead.
    - `graft`: whose length the step of each leaf is given: "none" for its own, "sgd" for that of \(m_t\), "adagrad" for
      that of the diagonal rule above (RMSProp for \(\beta_2 < 1\)).
    - `every`: >= 1. The roots are recomputed once in so many steps, and in the beginning at the steps 2, 4, 8, ...,
      because roots of the first gradient alone say nothing about most directions.
    - `block_size`: >= 1. A longer axis is split into equal blocks, each with its own factors.
    - `stacked`: how many leading axes stack separate parameters: 1 where layers are scanned.

    Factors and roots are stored and computed in at least float32.

    **Needs** a gradient.
    **Guarantee** In online convex optimization without momentum, with roots recomputed at every step and the paper's
    \(\varepsilon\), a regret of the order of \(\sqrt T\) over bounded iterates (theorem 7). On a quadratic of one
    vector the value falls linearly.
    **References** Gupta, Koren & Singer 2018, arXiv:1802.09568; Anil et al. 2020, arXiv:2002.09018 (blocks, amortized
    roots, relative epsilon); Agarwal et al. 2020, arXiv:2002.11803 (grafting).
    """

    learning_rate: Any = real_field()
    b1: Any = real_field(0.9)
    b2: Any = real_field(1.0)
    eps: float = real_field(1e-6)
    graft: str = static_field("none")
    every: int = static_field(20)
    block_size: int = static_field(1024)
    stacked: int = static_field(0)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate")
        check_fraction(self, "b1")
        check_real(self, "b2", 0.0, 1.0, "in [0, 1]")
        check_positive(self, "eps")
        check_count(self, "every", "block_size")
        check_count(self, "stacked", low=0)
        check_choice(self, "graft", _GRAFT_MODES)

    def init(self, params: Params) -> ShampooState:
        """Returns a state with all sums at zero."""

        def empty(leaf):
            if not is_matrix(leaf, self.stacked):
                return ()
            count, sizes = _block_layout(leaf, self)
            return tuple(jnp.zeros((count, size, size), wide(leaf.dtype)) for size in sizes)

        def diagonal(leaf):
            unused = is_matrix(leaf, self.stacked) and self.graft != "adagrad"
            return None if unused else jnp.zeros(leaf.shape, wide(leaf.dtype))

        leaves = jax.tree.leaves(params)
        factors, squares = tuple(map(empty, leaves)), tuple(map(diagonal, leaves))
        return ShampooState(jnp.zeros((), jnp.int32), zeros_like(params), squares, factors, zeros_like(factors))

    def update(
        self, grads: Params, state: ShampooState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, ShampooState]:
        """Returns the update of one step, and the new state."""
        b1, b2 = at(self.b1, state.count), at(self.b2, state.count)
        weight = jnp.where(b2 < 1, 1 - b2, 1)
        share = jnp.where(b2 < 1, 1 - b2 ** real(state.count + 1), 1)

        def observe(g, squares, factors):
            g = g.astype(wide(g.dtype))
            keep, new = b2.astype(g.dtype), weight.astype(g.dtype)
            blocks = _split_blocks(g, self) if factors else g
            factors = tuple(keep * old + new * gram_matrix(blocks, axis) for axis, old in enumerate(factors))
            exponents = tuple(jnp.full(len(factor), -0.5 / len(factors), factor.dtype) for factor in factors)
            return None if squares is None else keep * squares + new * g**2, factors, exponents

        (m,) = lift(lambda m, g, b1: (b1 * m + (1 - b1) * g,), (state.m, grads), b1)
        leaves, structure = jax.tree.flatten(grads)
        squares, factors, exponents = map_rows(3, observe, leaves, state.squares, state.factors)
        # The number of the step, one more than the count, is a power of two if they share no bit.
        early = (state.count < self.every) & (state.count & (state.count + 1) == 0)
        due = early | (state.count % self.every == 0)
        roots = jax.lax.cond(due, lambda: self.roots_of(factors, exponents, share), lambda: state.roots)

        def step(g, m, squares, roots):
            eta = self.rate(state).astype(wide(g.dtype))
            return ((-eta * self.direction(m.astype(eta.dtype), squares, roots, share)).astype(g.dtype),)

        (update,) = map_rows(1, step, leaves, structure.flatten_up_to(m), squares, roots)
        return structure.unflatten(update), ShampooState(state.count + 1, m, squares, factors, roots)

    def rate(self, state: ShampooState) -> Scalar:
        """Returns the learning rate that the next update will use."""
        return at(self.learning_rate, state.count)

    def roots_of(self, factors: Any, exponents: Any, share: Scalar) -> Any:
        """Returns the inverse root of every factor, by one batched eigendecomposition for all factors of one size."""
        matrices, structure = jax.tree.flatten(factors)
        unbiased = [f / share.astype(f.dtype) for f in matrices]
        eps = self.eps

        def roots(batch, exponent):
            values, vectors = jnp.linalg.eigh(batch)
            powers = _damped_eigenvalues(values, eps, (1,)) ** exponent[:, None]
            return (jnp.matmul(vectors * powers[:, None, :], vectors.mT, precision=FULL_PRECISION),)

        return structure.unflatten([root for (root,) in map_by_shape(roots, unbiased, jax.tree.leaves(exponents))])

    def direction(self, m: jax.Array, squares: Any, roots: tuple[jax.Array, ...], share: Scalar) -> jax.Array:
        """Returns the direction of one leaf."""
        axes = item_axes(m, self.stacked)
        diagonal = d = m
        if squares is not None:
            diagonal = d = m / jnp.sqrt(_damped_eigenvalues(squares / share.astype(m.dtype), self.eps, axes))
        if roots:
            blocks = _split_blocks(m, self)
            for axis, root in enumerate(roots):
                blocks = mode_product(root, blocks, axis)
            d = _merge_blocks(blocks, m, self)
        if self.graft == "none":
            return d
        length = _norms_over(d, axes)
        return d * _norms_over(m if self.graft == "sgd" else diagonal, axes) / jnp.where(length > 0, length, 1)


def _norms_over(array: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Returns the Euclidean norms over some axes, which stay as axes of length 1."""
    return jnp.sqrt(jnp.sum(array**2, axis=axes, keepdims=True))


def _damped_eigenvalues(values: jax.Array, eps: Any, axes: tuple[int, ...]) -> jax.Array:
    """Returns eigenvalues plus `eps` times the largest one; all 1 where all are zero."""
    top = jnp.max(values, axis=axes, keepdims=True, initial=0)
    return jnp.where(top > 0, jnp.maximum(values, 0) + jnp.asarray(eps).astype(top.dtype) * top, 1)


def _block_layout(leaf: jax.Array, rule: Shampoo) -> tuple[int, tuple[int, ...]]:
    """Returns how many blocks a leaf is split into, and their shape."""
    axes = leaf.shape[rule.stacked :]
    pieces = [-(-n // rule.block_size) for n in axes]
    sizes = tuple(-(-n // p) for n, p in zip(axes, pieces, strict=True))
    return math.prod(leaf.shape[: rule.stacked]) * math.prod(pieces), sizes


def _split_blocks(leaf: jax.Array, rule: Shampoo) -> jax.Array:
    """Returns the leaf's blocks along a new first axis. The last ones are padded with zeros, which no root mixes in."""
    count, sizes = _block_layout(leaf, rule)
    axes = leaf.shape[rule.stacked :]
    pieces = [-(-n // s) for n, s in zip(axes, sizes, strict=True)]
    padding = [(0, 0)] + [(0, p * s - n) for n, p, s in zip(axes, pieces, sizes, strict=True)]
    padded = jnp.pad(leaf.reshape(-1, *axes), padding)
    split = padded.reshape(-1, *itertools.chain(*zip(pieces, sizes, strict=True)))
    return jnp.transpose(split, _block_axes_first(len(axes))).reshape(count, *sizes)


def _merge_blocks(blocks: jax.Array, like: jax.Array, rule: Shampoo) -> jax.Array:
    """Returns the leaf of which `blocks` are the blocks: the inverse of `_split_blocks`."""
    axes, sizes = like.shape[rule.stacked :], blocks.shape[1:]
    pieces = [-(-n // s) for n, s in zip(axes, sizes, strict=True)]
    split = blocks.reshape(-1, *pieces, *sizes)
    whole = jnp.transpose(split, [_block_axes_first(len(axes)).index(i) for i in range(split.ndim)])
    whole = whole.reshape(-1, *(p * s for p, s in zip(pieces, sizes, strict=True)))
    return whole[(slice(None), *(slice(n) for n in axes))].reshape(like.shape)


def _block_axes_first(axes: int) -> list[int]:
    """Returns the permutation from (stack, pieces, size, pieces, size, ...) to (stack, pieces, ..., sizes, ...)."""
    return [0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2)]
