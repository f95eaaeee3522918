"""Gauss-Newton steps within a region of trust."""

import jax.numpy as jnp

from thalweg.solvers.least_squares.model import GaussNewtonModel
from thalweg.solvers.trust_region.exact import ExactStep
from thalweg.solvers.trust_region.steihaug import SteihaugCG
from thalweg.solvers.trust_region.trust_region import TrustRegion


def LevenbergMarquardt(
    dense: bool = True, radius: float = 1.0, max_radius: float = jnp.inf, accept: float = 1e-4
) -> TrustRegion:
    r"""Least squares by Gauss-Newton steps with a radius: the method to try first on `tw.LeastSquares`.

    \[ p_t = \operatorname*{arg\,min}_{\|D_t p\| \le \Delta_t} \tfrac12\|r(x_t) + J_t p\|^2
       \quad\Longleftrightarrow\quad (J_t'J_t + \lambda_t D_t^2)\,p_t = -J_t'r(x_t), \quad
       \lambda_t\,(\Delta_t - \|D_t p_t\|) = 0. \]

    The step is taken, and the radius changed, by the ratio of actual to predicted decrease, as in `tw.TrustRegion`.
    \(\lambda\) belongs to the radius; \(J'J\) is never formed.

    - `dense`: \(J\) is formed, factored as \(J = QUSV'\), and \(\lambda\) is found exactly; \(D_i\) is the largest norm
      that column \(i\) has had, so that units do not matter. False: conjugate gradients on products \(Jv\) and
      \(J'w\) within \(\|p\| \le \Delta\) (`tw.trust_region.SteihaugCG`), for many variables.
    - `radius`: the first one, > 0, in units of \(\|D_0x_0\|\) (of `max(1, |x_0|)` where not `dense`): at 1 the first
      step at most about doubles `x`. `max_radius`: > 0, may be infinite. `accept`: in [0, 1/4).

    **Needs** residuals and the same function at every step. `Evals.value` counts evaluations of the residuals,
    `gradient` products \(J'r\), `hvp` products \(J'Jv\) and columns (or rows) of \(J\).
    **Guarantee** \(J'r \to 0\) for bounded \(J\). Near a solution with \(J\) of full rank quadratic where the
    residuals vanish, linear where they do not, the slower the larger and the more curved they are.
    **References** Levenberg 1944, doi:10.1090/qam/10666; Marquardt 1963, doi:10.1137/0111030; Moré 1978,
    doi:10.1007/BFb0067700.
    """
    subproblem = ExactStep() if dense else SteihaugCG()
    return TrustRegion(subproblem, radius, max_radius, accept, model=GaussNewtonModel(scaled=dense))
