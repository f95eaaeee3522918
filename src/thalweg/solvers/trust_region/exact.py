"""The global minimiser of the model within the radius."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from thalweg.core.types import Scalar
from thalweg.solvers.trust_region.secular import minimiser, unit
from thalweg.solvers.trust_region.subproblem import Proposal, Quadratic, Subproblem
from thalweg.solvers.trust_region.trust_region import TrustRegion


class ExactStep(Subproblem):
    r"""The global minimiser of the model within the radius, from the eigenvectors of the whole Hessian.

    \[ (H + \lambda I)\,p = -g, \qquad \lambda \ge 0, \qquad \lambda\,(\Delta - \|p\|) = 0, \qquad
       H + \lambda I \succeq 0. \]

    \(1/\|p(\lambda)\| = 1/\Delta\) is solved by Newton's method from below. Where the gradient has nothing along the
    lowest eigenvector (the hard case) the step goes on along it as far as the boundary.

    **Guarantee** No step within the radius lowers the model more. Work \(O(n^3)\) and \(n\) Hessian products.
    **References** Moré & Sorensen 1983, doi:10.1137/0904038; Conn, Gould & Toint 2000,
    doi:10.1137/1.9780898719857, section 7.3.
    """

    spectral: ClassVar[bool] = True

    def radius(self, length: Scalar, grad: jax.Array) -> Scalar:
        """The length itself."""
        return length

    def __call__(self, model: Quadratic, radius: Scalar) -> Proposal:
        """See the class."""
        spectrum = model.spectrum()
        found = minimiser(spectrum, radius, unit(model), 1.0, 0.0)
        return Proposal(
            found.step,
            found.bent + found.pulled,
            spectrum.hvps,
            spectrum.values[0],
            spectrum.negative,
            found.shift > 0,
            jnp.linalg.norm(found.step),
        )


def TrustExact(radius: float = 1.0, max_radius: float = jnp.inf, accept: float = 0.1) -> TrustRegion:
    r"""A trust region whose model is minimised exactly, where the Hessian fits in memory.

    \(x_{t+1} = x_t + p_t\), where \(p_t\) is the global minimiser of the second-order Taylor polynomial within the
    radius (`tw.trust_region.ExactStep`). The lowest eigenvalue of the Hessian is known at every step: it stands in
    `extra["curvature"]`, and where it is negative `Info.optimality` contains it.

    The region is a ball: where variables have very different scales it follows curved valleys slowly, and `tw.Newton`
    or `tw.LevenbergMarquardt` is the better choice.

    - `radius`, `max_radius`, `accept`: as in `tw.TrustRegion`.

    **Needs** a gradient, Hessian-vector products and the same function at every step.
    **Guarantee** Every limit point satisfies the second-order necessary conditions; quadratic near a minimum with a
    positive definite Hessian.
    **References** Moré & Sorensen 1983, doi:10.1137/0904038.
    """
    return TrustRegion(ExactStep(), radius=radius, max_radius=max_radius, accept=accept)
