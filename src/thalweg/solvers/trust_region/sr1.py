"""A Hessian learned from gradients, which may be indefinite."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_fraction, real_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import norm, ravel, select
from thalweg.core.types import Params, Scalar
from thalweg.solvers.trust_region.model import Local, QuadraticModel, Trial, eigen, unit_length
from thalweg.solvers.trust_region.steihaug import SteihaugCG
from thalweg.solvers.trust_region.subproblem import Quadratic
from thalweg.solvers.trust_region.trust_region import TrustRegion


class Learned(NamedTuple):
    """Value, gradient and auxiliary output at `x`, the matrix, whether it has learned, evaluations not yet reported."""

    value: Scalar
    grad: jax.Array
    aux: dict | None
    matrix: jax.Array
    learned: Scalar
    unreported: Scalar


class SR1Model(QuadraticModel):
    r"""The symmetric rank-one matrix \(B\) in place of the Hessian.

    With \(s = x_+ - x\), \(y = \nabla f(x_+) - \nabla f(x)\) of every trial step, taken or not,

    \[ B_+ = B + \frac{(y - Bs)(y - Bs)'}{s'(y - Bs)}, \qquad
       \text{left out where } |s'(y - Bs)| < r\,\|s\|\,\|y - Bs\|. \]

    The first matrix is zero, and \((\|y\|/\|s\|)\,I\) at the first update: no units of the objective or of the
    variables enter.

    - `skip`: \(r\), in [0, 1).

    **References** Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, equations 6.24 to 6.26.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset()
    true: ClassVar[bool] = False
    skip: float = real_field(1e-8)

    def __check_init__(self):
        check_fraction(self, "skip")

    def init(self, problem: Problem, x: Params) -> Learned:
        """One evaluation."""
        seen = problem.objective.evaluate(x)
        g = ravel(seen.grad)
        zeros = jnp.zeros((g.size, g.size), g.dtype)
        return Learned(seen.value, g, seen.aux, zeros, jnp.asarray(False), jnp.asarray(1, jnp.int32))

    def at(self, problem: Problem, x: Params, memory: Learned) -> Local:
        """What is remembered: nothing is evaluated."""
        value, g, aux, matrix, _, count = memory
        quadratic = Quadratic(g, lambda v: matrix @ v, lambda: eigen(matrix, g, 0))
        evals = problem.evals(value=count, gradient=count)
        return Local(value, g, quadratic, unit_length(x), evals, product=0, memory=memory, aux=aux)

    def trial(self, problem: Problem, local: Local, x: Params, there: Params) -> Trial:
        """Value and gradient: the matrix learns from every trial point."""
        seen, old = problem.objective.evaluate(there), local.memory
        g, s = ravel(seen.grad), ravel(jax.tree.map(jnp.subtract, there, x))
        matrix, learned = self.update(old, s, g - local.grad)
        none = jnp.asarray(0, jnp.int32)
        refused = old._replace(matrix=matrix, learned=learned, unreported=none)
        taken = Learned(seen.value, g, seen.aux, matrix, learned, none)
        return Trial(seen.value, g @ s, problem.evals(value=1, gradient=1), taken, refused)

    def update(self, old: Learned, s: jax.Array, y: jax.Array) -> tuple[jax.Array, Scalar]:
        """The matrix after a pair; that of a trial point that is not finite teaches nothing."""
        length, size = norm(s), norm(y)
        good = (length > 0) & jnp.isfinite(size)
        first = (size / jnp.where(good, length, 1)) * jnp.eye(s.size, dtype=s.dtype)
        matrix = jnp.where(old.learned, old.matrix, first)
        miss = y - matrix @ s
        far = norm(miss)
        u = miss / jnp.where(far > 0, far, 1)
        enough = good & (far > 0) & (jnp.abs(s @ u) >= jnp.asarray(self.skip, s.dtype) * length) & (s @ u != 0)
        new = matrix + (far / jnp.where(enough, s @ u, 1)) * jnp.outer(u, u)
        return select(enough, new, jnp.where(good, matrix, old.matrix)), old.learned | good


def SR1(radius: float = 1.0, max_radius: float = jnp.inf, accept: float = 1e-4) -> TrustRegion:
    r"""The symmetric rank-one quasi-Newton method in a trust region: gradients only, and curvature of either sign.

    \(x_{t+1} = x_t + p_t\), where \(p_t\) minimises \(\nabla f(x_t)'p + \tfrac12 p'B_tp\) within the radius by
    `tw.trust_region.SteihaugCG`, and \(B_t\) is the matrix of `tw.trust_region.SR1Model`.

    - `radius`, `max_radius`, `accept`: as in `tw.TrustRegion`.

    **Needs** a gradient and the same function at every step. One evaluation of value and gradient a step, \(n^2\)
    numbers of memory.
    **Guarantee** \(n + 1\) independent steps give the Hessian of a quadratic exactly; superlinear (\(n+1\) steps for
    one) where steps stay independent. It does not know whether its matrix is the Hessian, so a point where it ends
    may be a saddle.
    **References** Conn, Gould & Toint 1991, doi:10.1007/BF01594934; Nocedal & Wright 2006,
    doi:10.1007/978-0-387-40065-5, algorithm 6.2.
    """
    return TrustRegion(SteihaugCG(), radius=radius, max_radius=max_radius, accept=accept, model=SR1Model())
