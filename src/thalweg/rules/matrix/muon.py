"""The Muon rule."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.fields import (
    check_choice,
    check_count,
    check_flag,
    check_fraction,
    check_nonnegative,
    check_positive,
    fail,
    real_field,
    static_field,
)
from thalweg.core.rule import Rule, at, check_rule, lift, required, rule_field
from thalweg.core.tree import wide, zeros_like
from thalweg.core.types import Params, Scalar, State
from thalweg.rules.adamw import AdamW
from thalweg.rules.masks import Mask, check_mask, evaluate_mask
from thalweg.rules.matrix.shapes import is_matrix, map_by_shape
from thalweg.rules.units import check_outputs

_NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Keller Jordan's coefficients: for a slope of 3.4 at 0 the iteration stays near 1 instead of converging to it."""

_ADAMW_UPDATE_RMS = 0.2
"""The root mean square of AdamW's updates in training, to which Moonshot's variant ("rms") scales its own."""

_MUON_SCALES = {
    "original": lambda outputs, inputs: math.sqrt(max(1.0, outputs / inputs)),
    "rms": lambda outputs, inputs: _ADAMW_UPDATE_RMS * math.sqrt(max(outputs, inputs)),
}
"""Name of a scale -> the factor of an update as a function of the numbers of outputs and inputs."""


class MuonState(NamedTuple):
    """The number of updates made, the momentum of the matrices, and the state of the rule for all other leaves."""

    count: Scalar
    m: Params
    others: State


class Muon(Rule):
    r"""Muon: the momentum of each matrix is orthogonalized, so that a step has about the same length in all directions.

    \[ M_t = \beta M_{t-1} + (1-\beta)\, G_t, \qquad X_{t+1} = X_t - \eta_t \bigl(
       s\, \mathrm{NS}\bigl(\beta M_t + (1-\beta)\, G_t\bigr) + \lambda X_t \bigr), \]

    where NS brings every singular value near 1 and keeps the singular vectors: it divides by the Frobenius norm and
    repeats \(Y \leftarrow a Y + b\,(YY^\top) Y + c\,(YY^\top)^2 Y\) with \((a, b, c) = (3.4445, -4.7750, 2.0315)\).

    - `learning_rate`: \(\eta\) >= 0, or a schedule. `beta`: \(\beta\) in [0, 1), or a schedule.
    - `weight_decay`: \(\lambda\) >= 0, of the matrices.
    - `others`: the rule for all leaves that are not matrices, with a learning rate of its own.
    - `mask`: which leaves are matrices. None means every leaf with two axes or more (not counting `stacked` ones);
      otherwise a function of the parameters that returns their tree with True for matrices. Leave out embeddings and
      the last layer.
    - `scale`: \(s\). "original": \(\sqrt{\max(1, \text{outputs}/\text{inputs})}\). "rms": \(0.2 \sqrt{\max(\text{
      outputs}, \text{inputs})}\), for which AdamW's learning rate and weight decay can be reused.
    - `outputs`: the output axis: "last" for `inputs @ weight` (Flax, Haiku), "first" for `weight @ inputs` (Equinox,
      PyTorch). A leaf with more than two axes is a kernel: its other axes together are the inputs, so HWIO is a matrix
      of H W I by O.
    - `stacked`: how many leading axes stack separate matrices: 1 where layers are scanned. Then (layers, n) is a stack
      of vectors.
    - `nesterov`: whether to use Nesterov momentum, as above; if False, \(\mathrm{NS}(M_t)\).
    - `iterations`: the number of Newton-Schulz iterations, >= 1. `eps`: > 0, the smallest norm to divide by.
    - `bfloat16`: whether to iterate in bfloat16, as the original does; if False, in the leaf's dtype and at least
      float32.

    Optax divides \(M_t\) and \(G_t\) by \(1 - \beta^{t+1}\) and \(1 - \beta^t\), which changes their weights in the
    first steps; without `nesterov` the two agree.

    **Needs** a gradient, and in `update` the parameters.
    **Guarantee** None in general for matrices; for the leaves of `others`, that of their rule. Five iterations bring
    every singular value above 1/500 of the norm to between 0.68 and 1.21. So all steps have about the same length, and
    with a constant learning rate they reach a neighborhood of a minimum of the size of a step.
    **References** Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982 ("rms",
    decay); Bernstein & Newhouse 2024, arXiv:2409.20325 (steepest descent in the spectral norm).
    """

    learning_rate: Any = real_field(0.02)
    beta: Any = real_field(0.95)
    weight_decay: float = real_field(0.0)
    others: Rule = rule_field(AdamW(3e-4, 0.9, 0.95, 1e-10, 0.0))
    mask: Mask | None = static_field(None)
    scale: str = static_field("original")
    outputs: str = static_field("last")
    stacked: int = static_field(0)
    nesterov: bool = static_field(True)
    iterations: int = static_field(5)
    eps: float = real_field(1e-7)
    bfloat16: bool = static_field(False)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate", "weight_decay")
        check_fraction(self, "beta")
        check_positive(self, "eps")
        check_count(self, "iterations")
        check_count(self, "stacked", low=0)
        check_rule(self, "others")
        check_mask(self)
        check_choice(self, "scale", _MUON_SCALES)
        check_outputs(self)
        check_flag(self, "nesterov", "bfloat16")

    def init(self, params: Params) -> MuonState:
        """Returns a state with zero momentum, and the initial state of the other rule."""
        matrices, rest = eqx.partition(params, self.choice(params))
        return MuonState(jnp.zeros((), jnp.int32), zeros_like(matrices), self.others.init(rest))

    def update(
        self, grads: Params, state: MuonState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, MuonState]:
        """Returns Muon's update for the matrices and the other rule's for the rest, and the new state."""
        params = required(self, grads, "params", params)
        choice = self.choice(params)
        (mine, rest), (x, x_rest) = eqx.partition(grads, choice), eqx.partition(params, choice)
        extra = extra | ({"grad": rest} if "grad" in extra else {})
        others_update, others = self.others.update(rest, state.others, x_rest, **extra)

        def average(g, m, beta):
            m = beta * m + (1 - beta) * g
            return beta * m + (1 - beta) * g if self.nesterov else m, m

        def step(g, direction, x, eta, decay):
            return (-eta * (direction + decay * x),)

        unrounded = jax.tree.map(lambda g: g.astype(wide(g.dtype)), mine)
        ahead, m = lift(average, (unrounded, state.m), at(self.beta, state.count))
        (update,) = lift(step, (mine, self.orthogonalized(ahead), x), self.rate(state), self.weight_decay)
        return eqx.combine(update, others_update), MuonState(state.count + 1, m, others)

    def rate(self, state: MuonState) -> Scalar:
        """Returns the learning rate of the next update of the matrices."""
        return at(self.learning_rate, state.count)

    def choice(self, params: Params) -> Any:
        """Returns one bool per leaf: whether it is a matrix, or a stack of matrices."""
        if self.mask is None:
            return jax.tree.map(lambda leaf: is_matrix(leaf, self.stacked), params)

        def checked(yes, leaf):
            if yes and leaf.ndim - self.stacked < 2:
                fail(self, "mask", self.mask, f"False for a leaf of shape {leaf.shape}, which is not a matrix")
            return yes and leaf.size > 0

        return jax.tree.map(checked, evaluate_mask(self, params), params)

    def orthogonalized(self, tree: Params) -> Params:
        """Returns every matrix orthogonalized and scaled, in at least float32."""
        leaves, structure = jax.tree.flatten(tree)
        matrices = [self.as_matrices(leaf) for leaf in leaves]
        done = map_by_shape(lambda y: (self.orthogonalize(y),), [_transpose_tall(each) for each in matrices])
        out = []
        for leaf, each, (y,) in zip(leaves, matrices, done, strict=True):
            near = y if each.shape == y.shape else y.mT
            out.append(self.update_scale(*each.shape[1:]) * near.astype(each.dtype).reshape(leaf.shape))
        return structure.unflatten(out)

    def as_matrices(self, leaf: jax.Array) -> jax.Array:
        """Returns a leaf as a batch of matrices: one axis for the outputs, one for all other axes of a kernel."""
        axes = leaf.shape[self.stacked :]
        rows = math.prod(axes[:-1]) if self.outputs == "last" else axes[0]
        return leaf.astype(wide(leaf.dtype)).reshape(-1, rows, math.prod(axes) // rows)

    def update_scale(self, rows: int, columns: int) -> float:
        """Returns the factor of an update, for a matrix with so many rows and columns."""
        return (
            _MUON_SCALES[self.scale](columns, rows)
            if self.outputs == "last"
            else _MUON_SCALES[self.scale](rows, columns)
        )

    def orthogonalize(self, matrices: jax.Array) -> jax.Array:
        """Returns wide matrices with their singular values brought near 1."""
        norms = jnp.sqrt(jnp.sum(jnp.square(matrices), axis=(1, 2), keepdims=True))
        unit = matrices / jnp.maximum(norms, jnp.asarray(self.eps).astype(norms.dtype))
        return _newton_schulz(unit.astype(jnp.bfloat16) if self.bfloat16 else unit, self.iterations)


def _transpose_tall(matrices: jax.Array) -> jax.Array:
    """Returns the matrices, transposed if they have more rows than columns: the iteration squares the shorter side."""
    return matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT


def _newton_schulz(y: jax.Array, iterations: int) -> jax.Array:
    """Returns wide matrices `y` of norm at most 1 with singular values near 1, by iterating an odd polynomial."""
    a, b, c = _NEWTON_SCHULZ_COEFFICIENTS
    for _ in range(iterations):
        square = y @ y.mT
        y = a * y + (b * square + c * square @ square) @ y
    return y
