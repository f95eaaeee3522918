"""What a trust region asks: the best step that its model knows within a radius."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.types import Scalar, ScalarLike
from thalweg.solvers.descent.truncated_cg import CLEAR


class Spectrum(NamedTuple):
    r"""The model in the eigenvectors of its Hessian: \(H = V\,\mathrm{diag}(\lambda)\,V'\), \(c = V'g\).

    `values` in ascending order; `vectors` as columns, which need not span the space where the rest of `g` is zero;
    `hvps`: products taken.
    """

    values: jax.Array
    vectors: jax.Array
    slopes: jax.Array
    hvps: ScalarLike

    @property
    def negative(self) -> Scalar:
        """Whether the lowest eigenvalue is below 0 beyond rounding."""
        eps = float(jnp.finfo(self.values.dtype).eps)
        return self.values[0] < -CLEAR * eps * jnp.max(jnp.abs(self.values))


class Quadratic(NamedTuple):
    r"""The model \(m(p) = g'p + \tfrac12 p'Hp\): `grad`, `times(v)` is \(Hv\), `spectrum()` takes \(H\) apart.

    All variables are one vector.
    """

    grad: jax.Array
    times: Callable[[jax.Array], jax.Array]
    spectrum: Callable[[], Spectrum]


class Proposal(NamedTuple):
    """A step.

    - `step`: a vector. `decrease`: by how much the model falls along it.
    - `hvps`: Hessian-vector products taken.
    - `curvature`: the smallest Rayleigh quotient `d'Hd / d'd` met; infinity where none was measured. `negative`:
      whether it is below 0 beyond rounding.
    - `on_boundary`: whether a larger radius would have let it go further.
    - `reach`: what the radius shrinks from after a poor step: its length, or the radius itself.
    """

    step: jax.Array
    decrease: Scalar
    hvps: ScalarLike
    curvature: Scalar
    negative: Scalar
    on_boundary: Scalar
    reach: Scalar


class Subproblem(eqx.Module):
    r"""Minimises the model \(m(p) = g'p + \tfrac12 p'Hp\) over \(\|p\| \le \Delta\), well enough.

    `spectral`: it takes the whole Hessian apart and so knows its lowest eigenvalue. One that does not has a random
    search beside it where the gradient is small.
    """

    spectral: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def radius(self, length: Scalar, grad: jax.Array) -> Scalar:
        """The first radius in the subproblem's own units, for steps about as long as `length`."""

    @abc.abstractmethod
    def __call__(self, model: Quadratic, radius: Scalar) -> Proposal:
        """The step for a gradient that is not zero; along negative curvature, or the zero step, for one that is."""
