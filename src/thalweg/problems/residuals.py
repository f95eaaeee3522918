"""Least-squares problems with known solutions."""

import jax.numpy as jnp
import numpy as np

from thalweg.core.objective import LeastSquares
from thalweg.core.problem import Problem
from thalweg.problems.known import Known


def beale_residuals() -> Known:
    r"""Beale's function as three residuals, with the minimum 0 at (3, 0.5).

    \(r_i = y_i - x_1(1 - x_2^i)\) with \(y = (1.5, 2.25, 2.625)\).
    """

    def beale_misfit(x):
        u, v = x[0], x[1]
        return jnp.stack([1.5 - u * (1.0 - v), 2.25 - u * (1.0 - v**2), 2.625 - u * (1.0 - v**3)])

    return Known(Problem(LeastSquares(residuals=beale_misfit)), np.array([1.0, 1.0]), 0.0, np.array([3.0, 0.5]))


def bard() -> Known:
    r"""A fit of a rational function to fifteen points (Bard 1970, doi:10.1137/0707011).

    \(r_i = y_i - x_1 - u_i / (x_2 v_i + x_3 w_i)\) with \(u_i = i,\ v_i = 16 - i,\ w_i = \min(u_i, v_i)\).
    """
    y = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
    u = np.arange(1.0, 16.0)
    v, w = 16 - u, np.minimum(u, 16 - u)

    def misfit(x):
        fitted = x[0] + jnp.asarray(u, x.dtype) / (x[1] * jnp.asarray(v, x.dtype) + x[2] * jnp.asarray(w, x.dtype))
        return jnp.asarray(y, x.dtype) - fitted

    best = np.array([0.08241056, 1.13303609, 2.34369518])
    for _ in range(20):  # Gauss-Newton steps from the printed digits to the last one
        bottom = best[1] * v + best[2] * w
        slopes = np.stack([-np.ones(15), u * v / bottom**2, u * w / bottom**2], 1)
        best = best - np.linalg.lstsq(slopes, y - best[0] - u / bottom, rcond=None)[0]
    residual = y - best[0] - u / (best[1] * v + best[2] * w)
    return Known(Problem(LeastSquares(residuals=misfit)), np.ones(3), float(0.5 * residual @ residual), best)
