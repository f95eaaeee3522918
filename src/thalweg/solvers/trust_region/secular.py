r"""The one equation behind trust regions and regularization: \(\|p(\lambda)\| = a + b\lambda\).

\(p(\lambda) = -(H + \lambda I)^{-1} g\) minimizes the model within a radius for \((a, b) = (\Delta, 0)\), and the model
with \(\sigma\|p\|^3/3\) added for \((a, b) = (0, 1/\sigma)\).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.tree import norm
from thalweg.core.types import Scalar, ScalarLike
from thalweg.solvers.trust_region.subproblem import QuadraticForm, Spectrum

_MAX_NEWTON_STEPS = 60
"""Newton steps on the equation at most; a handful does."""


class Solution(NamedTuple):
    r"""The global minimizer of a model within a bound.

    - `step`: \(p\). `shift`: \(\lambda\).
    - `curvature_part`, `shift_part`: the two parts of the fall of the model, \(\tfrac12 p'(H+\lambda I)p\) and
      \(\tfrac12\lambda p'p\).
    """

    step: jax.Array
    shift: Scalar
    curvature_part: Scalar
    shift_part: Scalar


def global_minimizer(spectrum: Spectrum, length: Scalar, size: Scalar, a: float, b: float) -> Solution:
    r"""The minimizer for the bound \(\|p\| \le a + b\lambda\).

    It is found in units in which `length` and the gradient's norm `size` are 1.
    Moré & Sorensen 1983, doi:10.1137/0904038: \((H + \lambda I)p = -g\) with \(H + \lambda I\) positive semidefinite.
    """
    values, c = spectrum.values * (length / size), spectrum.slopes / size
    values = jnp.where(spectrum.negative, values, jnp.maximum(values, 0))
    low = jnp.where(spectrum.negative, values[0], 0)
    gaps, at_least = values - low, a - b * low
    above = _secular(gaps, c, at_least, b)
    p = regularized_step(c, gaps, above)
    # The hard case: no slope along the lowest eigenvector, and the step does not reach as far as it may.
    room = jnp.where(spectrum.negative & (above == 0), jnp.maximum(at_least**2 - p @ p, 0), 0)
    p = p.at[0].add(jnp.where(p[0] < 0, -1, 1) * jnp.sqrt(room))
    shift, gain = above - low, length * size
    curved, shifted = 0.5 * jnp.sum((gaps + above) * p**2), 0.5 * shift * (p @ p)
    return Solution(length * (spectrum.vectors @ p), shift * (size / length), curved * gain, shifted * gain)


def _secular(gaps: jax.Array, c: jax.Array, a: ScalarLike, b: float) -> Scalar:
    r"""The smallest \(\mu \ge 0\) with \(\|p(\mu)\| \le a + b\mu\), where \(p_i = -c_i / (\mathrm{gaps}_i + \mu)\).

    \(1/\|p(\mu)\| - 1/(a + b\mu)\) is concave and grows, so Newton's method from below never steps beyond the root. It
    starts where the largest entry alone would reach the bound: there the length is at most \(\sqrt n\) times too much.
    """
    eps = float(jnp.finfo(c.dtype).eps)
    peak = jnp.abs(c)
    middle = a + b * gaps
    root = jnp.sqrt((a - b * gaps) ** 2 + 4 * b * peak)
    start = jnp.max(2 * (peak - gaps * a) / jnp.where(middle + root > 0, middle + root, 1), initial=0)

    def body(at):
        mu, _, count = at
        p = regularized_step(c, gaps, mu)
        length, reach = norm(p), a + b * mu
        derivative = jnp.sum(jnp.where(c == 0, 0, p**2 / (gaps + mu))) / length**3 + b / reach**2
        new = mu + jnp.maximum((length - reach) / (length * reach) / derivative, 0)
        # Where nothing is left of the gradient, or the step is inside, there is nothing to solve.
        new = jnp.where((length > reach * (1 + 4 * eps)) & (new > mu), new, mu)
        return new, new > mu, count + 1

    begin = jnp.maximum(start, 0).astype(c.dtype), jnp.asarray(True), 0
    return jax.lax.while_loop(lambda at: at[1] & (at[2] < _MAX_NEWTON_STEPS), body, begin)[0]


def regularized_step(c: jax.Array, gaps: jax.Array, mu: Scalar) -> jax.Array:
    """The step in eigenvectors; nothing where there is no slope."""
    return jnp.where(c == 0, 0, -c / jnp.where(c == 0, 1, gaps + mu))


def gradient_unit(model: QuadraticForm) -> Scalar:
    """The gradient's norm, 1 where it is zero."""
    size = norm(model.grad)
    return jnp.where(size > 0, size, 1)
