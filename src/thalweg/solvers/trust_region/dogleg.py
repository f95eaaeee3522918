"""Along the gradient, then toward the Newton point."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from thalweg.core.tree import norm, select
from thalweg.core.types import Scalar
from thalweg.solvers.descent.truncated_cg import to_boundary
from thalweg.solvers.trust_region.secular import gradient_unit, regularized_step
from thalweg.solvers.trust_region.subproblem import Proposal, QuadraticForm, Subproblem
from thalweg.solvers.trust_region.trust_region import TrustRegion


class Dogleg(Subproblem):
    r"""The end of Powell's path within the radius: to the minimizer along \(-g\), from there to the Newton point.

    \[ p^U = -\frac{g'g}{g'Hg}\,g, \qquad p^N = -H^{-1}g. \]

    Where \(H\) is not positive definite there is no path: the step goes to the boundary along the eigenvector of the
    lowest eigenvalue or to the Cauchy point, whichever promises more.

    The whole Hessian is decomposed once a step. An eigendecomposition costs more than the Cholesky factor that the
    path alone would need; it says how negative the lowest curvature is, and serves Jacobians without their squares.

    **References** Powell 1970, in Rabinowitz, Numerical Methods for Nonlinear Algebraic Equations; Nocedal & Wright
    2006, doi:10.1007/978-0-387-40065-5, section 4.1.
    """

    spectral: ClassVar[bool] = True

    def radius(self, length: Scalar, grad: jax.Array) -> Scalar:
        """The first radius is the length itself."""
        return length

    def __call__(self, model: QuadraticForm, radius: Scalar) -> Proposal:
        """The end of the path, found in units in which gradient and radius are 1, and in the eigenvectors."""
        spectrum, size = model.spectrum(), gradient_unit(model)
        values, c = spectrum.values * (radius / size), spectrum.slopes / size
        positive = values > 0
        convex = jnp.all(positive | (c == 0)) & ~spectrum.negative
        curvature = jnp.sum(values * c**2)
        cauchy = -jnp.where(curvature > 1, 1 / jnp.where(curvature > 1, curvature, 1), 1) * c
        lowest = jnp.zeros_like(c).at[0].set(jnp.where(c[0] > 0, -1, 1))

        def fall(p: jax.Array) -> Scalar:
            return -(c @ p) - 0.5 * jnp.sum(values * p**2)

        other = select(spectrum.negative & (fall(lowest) > fall(cauchy)), lowest, cauchy)
        p = jnp.where(convex, _dogleg_path(jnp.where(positive, c, 0), jnp.where(positive, values, 1)), other)
        length = norm(p)
        return Proposal(
            radius * (spectrum.vectors @ p),
            fall(p) * radius * size,
            spectrum.hvps,
            spectrum.values[0],
            spectrum.negative,
            length > 1 - 1e3 * float(jnp.finfo(c.dtype).eps),
            radius * length,
        )


def _dogleg_path(c: jax.Array, values: jax.Array) -> jax.Array:
    """Powell's path for positive `values`, as far as length 1."""
    newton, steepest = regularized_step(c, values, jnp.zeros((), c.dtype)), jnp.sum(values * c**2)
    first = -(c @ c) / jnp.where(steepest > 0, steepest, 1) * c
    leg = newton - first
    # The path's length grows along it, so that `first` and `leg` never point against each other.
    tau = jnp.minimum(to_boundary(first, leg), 1)
    turned = jnp.where(jnp.linalg.norm(leg) > 0, first + tau * leg, first)
    straight = first / jnp.maximum(norm(first), 1)
    return jnp.where(norm(newton) <= 1, newton, jnp.where(norm(first) >= 1, straight, turned))


def TrustDogleg(radius: float = 1.0, max_radius: float = jnp.inf, accept: float = 0.1) -> TrustRegion:
    r"""A trust region along Powell's dogleg path: Newton steps where they fit, a bend toward the gradient elsewhere.

    Unlike the textbook's it may meet an indefinite Hessian (see `tw.trust_region.Dogleg`), and it leaves saddles.

    - `radius`, `max_radius`, `accept`: as in `tw.TrustRegion`.

    **Needs** a gradient, Hessian-vector products and the same function at every step; work \(O(n^3)\).
    **Guarantee** \(\nabla f(x_t) \to 0\) for \(f\) bounded below with a bounded Hessian; quadratic near a minimum with
    a positive definite Hessian.
    **References** Powell 1970; Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 4.1.
    """
    return TrustRegion(Dogleg(), radius=radius, max_radius=max_radius, accept=accept)
