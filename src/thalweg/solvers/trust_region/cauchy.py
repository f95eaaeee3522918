"""The best step along the negative gradient."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from thalweg.core.types import Scalar
from thalweg.solvers.trust_region.secular import gradient_unit
from thalweg.solvers.trust_region.subproblem import Proposal, QuadraticForm, Subproblem
from thalweg.solvers.trust_region.trust_region import TrustRegion


class CauchyPoint(Subproblem):
    r"""The minimizer of the model along the negative gradient, within the radius.

    \[ p = -\tau\,\frac{\Delta}{\|g\|}\,g, \qquad
       \tau = \min\Bigl\{\frac{\|g\|^3}{\Delta\,g'Hg},\,1\Bigr\} \text{ if } g'Hg > 0, \text{ else } 1. \]

    One Hessian product. Every other subproblem is measured by the decrease of this one.

    **References** Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, equation 4.12.
    """

    spectral: ClassVar[bool] = False

    def radius(self, length: Scalar, grad: jax.Array) -> Scalar:
        """The first radius is the length itself."""
        return length

    def __call__(self, model: QuadraticForm, radius: Scalar) -> Proposal:
        """The Cauchy point, found in units in which gradient and radius are 1."""
        size = gradient_unit(model)
        g = model.grad / size
        quotient = g @ model.times(g)
        # Where the Hessian is not finite nothing is known of the curvature: the model is linear.
        curvature = jnp.where(jnp.isfinite(quotient), quotient, 0) * (radius / size)
        gg = g @ g
        tau = jnp.where(curvature > 1, 1 / jnp.where(curvature > 1, curvature, 1), 1)
        decrease = (tau * gg - 0.5 * tau**2 * curvature) * radius * size
        reach = tau * jnp.sqrt(gg) * radius
        return Proposal(-tau * radius * g, decrease, 1, quotient, jnp.asarray(False), tau == 1, reach)


def TrustCauchy(radius: float = 1.0, max_radius: float = jnp.inf, accept: float = 0.1) -> TrustRegion:
    r"""A trust region that goes to the Cauchy point: steepest descent with a step from the curvature along it.

    - `radius`, `max_radius`, `accept`: as in `tw.TrustRegion`.

    **Needs** a gradient, Hessian-vector products and the same function at every step.
    **Guarantee** \(\nabla f(x_t) \to 0\); no faster than steepest descent with exact search, linear with the factor
    \(((\kappa-1)/(\kappa+1))^2\) in the value on a quadratic. It is there to compare with, and to learn from.
    **References** Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 4.1.
    """
    return TrustRegion(CauchyPoint(), radius=radius, max_radius=max_radius, accept=accept)
