"""Norm penalties with their proximal operators."""

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, real_field
from thalweg.core.nonsmooth import Nonsmooth
from thalweg.core.tree import common_dtype, wide
from thalweg.core.types import Params, Scalar, ScalarLike


class L1(Nonsmooth):
    r"""The L1 penalty (lasso) \(h(x) = \lambda\,\|x\|_1\), which makes solutions sparse.

    Its proximal operator sets small entries exactly to zero:
    \(\operatorname{prox}_{\eta h}(x) = \operatorname{sign}(x)\,\max(|x| - \eta\lambda,\, 0)\).

    - `weight`: \(\lambda\) >= 0.

    **References** Tibshirani 1996, doi:10.1111/j.2517-6161.1996.tb02080.x.
    """

    weight: Any = real_field(1.0)

    def __check_init__(self):
        check_nonnegative(self, "weight")

    @property
    def separable(self) -> bool:
        """True: the penalty is a sum over single entries."""
        return True

    @property
    def is_set(self) -> bool:
        """False: the penalty is finite everywhere."""
        return False

    def violation(self, x: Params) -> ScalarLike:
        """Returns 0, because the penalty is finite everywhere."""
        return 0.0

    def value(self, x: Params) -> Scalar:
        """Returns `weight` times the sum of absolute values."""
        dtype = common_dtype(x)
        total = sum(jnp.sum(jnp.abs(leaf.astype(wide(leaf.dtype)))).astype(dtype) for leaf in jax.tree.leaves(x))
        return jnp.asarray(self.weight).astype(dtype) * total

    def prox(self, x: Params, step_size: Scalar) -> Params:
        """Returns `x` soft-thresholded at `step_size * weight`."""

        def shrink(leaf):
            threshold = (step_size * self.weight).astype(leaf.dtype)
            return jnp.sign(leaf) * jnp.maximum(jnp.abs(leaf) - threshold, 0)

        return jax.tree.map(shrink, x)
