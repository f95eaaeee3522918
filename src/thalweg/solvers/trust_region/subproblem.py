"""What a trust region asks: the best step that its model knows within a radius."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.types import Scalar, ScalarLike
from thalweg.solvers.descent.truncated_cg import CURVATURE_ROUNDINGS


class Spectrum(NamedTuple):
    r"""The model in the eigenvectors of its Hessian: \(H = V\,\mathrm{diag}(\lambda)\,V'\), \(c = V'g\).

    - `values`: the eigenvalues \(\lambda\) in ascending order.
    - `vectors`: the eigenvectors as columns, which need not span the space where the rest of `g` is zero.
    - `slopes`: \(c\), the gradient along the eigenvectors. `hvps`: products taken.
    """

    values: jax.Array
    vectors: jax.Array
    slopes: jax.Array
    hvps: ScalarLike

    @property
    def negative(self) -> Scalar:
        """Whether the lowest eigenvalue is below 0 beyond rounding."""
        eps = float(jnp.finfo(self.values.dtype).eps)
        return self.values[0] < -CURVATURE_ROUNDINGS * eps * jnp.max(jnp.abs(self.values))


class QuadraticForm(NamedTuple):
    r"""The model \(m(p) = g'p + \tfrac12 p'Hp\): `grad` is \(g\), `times(v)` is \(Hv\), `spectrum()` decomposes \(H\).

    All variables are one vector.
    """

    grad: jax.Array
    times: Callable[[jax.Array], jax.Array]
    spectrum: Callable[[], Spectrum]


class Proposal(NamedTuple):
    """A step that the subproblem proposes.

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
    r"""Minimizes the model \(m(p) = g'p + \tfrac12 p'Hp\) over \(\|p\| \le \Delta\), well enough.

    - `spectral`: whether it decomposes the whole Hessian and so knows its lowest eigenvalue. One that does not has a
      random search beside it where the gradient is small. A class variable, or a property where it depends on a field.
    """

    @property
    @abc.abstractmethod
    def spectral(self) -> bool:
        """Whether the subproblem knows the lowest eigenvalue of the Hessian."""

    @abc.abstractmethod
    def radius(self, length: Scalar, grad: jax.Array) -> Scalar:
        """The first radius in the subproblem's own units, for steps about as long as `length`."""

    @abc.abstractmethod
    def __call__(self, model: QuadraticForm, radius: Scalar) -> Proposal:
        """The step for a gradient that is not zero; along negative curvature, or the zero step, for one that is."""
