"""A cubic term in place of a radius."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from thalweg.core.types import Scalar
from thalweg.solvers.trust_region.secular import global_minimizer, gradient_unit
from thalweg.solvers.trust_region.subproblem import Proposal, QuadraticForm, Subproblem
from thalweg.solvers.trust_region.trust_region import TrustRegion


class CubicStep(Subproblem):
    r"""The global minimizer of \(g'p + \tfrac12 p'Hp + \tfrac{\sigma}{3}\|p\|^3\).

    \[ (H + \lambda I)\,p = -g, \qquad \lambda = \sigma\|p\|, \qquad H + \lambda I \succeq 0. \]

    Here \(1/\sigma\) plays the part of the radius: the step may be as long as \(\lambda/\sigma\) in place of
    \(\Delta\), and the same equation is solved in the same way. The first \(\sigma\) is \(\|g\|/\Delta^2\), with which
    a step of a linear model has the length \(\Delta\).

    **References** Cartis, Gould & Toint 2011, doi:10.1007/s10107-009-0286-5, section 6; Toint 2013,
    doi:10.1080/10556788.2011.610458 (radius and regularization as one control).
    """

    spectral: ClassVar[bool] = True

    def radius(self, length: Scalar, grad: jax.Array) -> Scalar:
        """The first radius is the reciprocal of the first weight."""
        peak = jnp.max(jnp.abs(grad), initial=0)
        return length / jnp.where(peak > 0, jnp.linalg.norm(grad / jnp.where(peak > 0, peak, 1)) * peak, 1) * length

    def __call__(self, model: QuadraticForm, radius: Scalar) -> Proposal:
        """The step, found in units of the length that a linear model would go."""
        spectrum, size = model.spectrum(), gradient_unit(model)
        length = jnp.sqrt(size) * jnp.sqrt(radius)
        found = global_minimizer(spectrum, length, size, 0.0, 1.0)
        decrease = found.curvature_part + found.shift_part / 3  # of the model with its cubic term
        always = jnp.asarray(True)
        return Proposal(found.step, decrease, spectrum.hvps, spectrum.values[0], spectrum.negative, always, radius)


def CubicRegularization(
    radius: float = 1.0, accept: float = 0.1, shrink: float = 0.5, growth: float = 2.0
) -> TrustRegion:
    r"""Newton's method with an adaptive cubic term: \(x_{t+1} = x_t + p_t\), no radius.

    \[ p_t = \operatorname*{arg\,min}_p\; \nabla f(x_t)'p + \tfrac12\,p'\nabla^2 f(x_t)\,p
       + \tfrac{\sigma_t}{3}\|p\|^3, \]

    taken if the actual decrease is more than `accept` times the promised one. \(\sigma\) is divided by `growth` after
    very good steps (more than 3/4) and by `shrink` after poor ones (less than 1/4). The trace's `step_size` is
    \(1/\sigma_t\). Like `tw.TrustExact` it knows the lowest eigenvalue at every step and leaves saddles.

    - `radius`: about the length of the first step, in units of `max(1, |x_0|)`; fixes \(\sigma_0\).
    - `accept`: in [0, 1/4). `shrink`: in (0, 1). `growth`: >= 1.

    **Needs** a gradient, Hessian-vector products and the same function at every step; work \(O(n^3)\).
    **Guarantee** With a Lipschitz Hessian \(\|\nabla f\| \le \epsilon\) after \(O(\epsilon^{-3/2})\) steps, the best
    order possible; quadratic near a minimum with a positive definite Hessian.
    **References** Cartis, Gould & Toint 2011, doi:10.1007/s10107-009-0286-5 and doi:10.1007/s10107-009-0337-y;
    Nesterov & Polyak 2006, doi:10.1007/s10107-006-0706-8.
    """
    return TrustRegion(CubicStep(), radius=radius, accept=accept, shrink=shrink, growth=growth)
