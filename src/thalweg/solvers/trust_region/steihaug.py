"""Conjugate gradients that stop at the edge of the region, or where the curvature is not positive."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, static_field
from thalweg.core.tree import norm
from thalweg.core.types import Scalar
from thalweg.solvers.descent.truncated_cg import truncated_newton
from thalweg.solvers.trust_region.subproblem import Proposal, QuadraticForm, Subproblem


class SteihaugCG(Subproblem):
    r"""Truncated conjugate gradients on \(Hp = -g\).

    From \(p_0 = 0,\ r_0 = g,\ d_0 = -g\),

    \[ \alpha_j = \frac{r_j'r_j}{d_j'Hd_j}, \qquad p_{j+1} = p_j + \alpha_j d_j, \qquad r_{j+1} = r_j + \alpha_j Hd_j,
       \qquad d_{j+1} = -r_{j+1} + \frac{r_{j+1}'r_{j+1}}{r_j'r_j}\, d_j, \]

    until \(\|r_j\| \le \min\{\eta, \sqrt{\|g\|}\}\,\|g\|\). Where \(d_j'Hd_j \le 0\), or \(p_{j+1}\) is outside the
    region, the step goes on along \(d_j\) as far as the boundary.

    - `forcing`: \(\eta\), in (0, 1). `max_iterations`: products with the Hessian in one step, >= 1.

    **Guarantee** The model falls by at least as much as at the Cauchy point; with the exact Hessian and the full step
    accepted the outer iteration is superlinear, of order 3/2.
    **References** Steihaug 1983, doi:10.1137/0720042; Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5,
    algorithm 7.2 and theorem 7.2.
    """

    spectral: ClassVar[bool] = False
    forcing: float = real_field(0.1)
    max_iterations: int = static_field(200)

    def __check_init__(self):
        check_real(self, "forcing", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_count(self, "max_iterations")

    def radius(self, length: Scalar, grad: jax.Array) -> Scalar:
        """The first radius is the length itself."""
        return length

    def __call__(self, model: QuadraticForm, radius: Scalar) -> Proposal:
        """The truncated step; a search beside it judges whether the curvature is negative."""
        found = truncated_newton(model.grad, model.times, radius, self.forcing, self.max_iterations)
        step, decrease, hvps, curvature, left = found
        return Proposal(step, decrease, hvps, curvature, jnp.asarray(False), left, norm(step))
