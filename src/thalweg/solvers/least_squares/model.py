"""The model of Gauss and Newton: the residuals are linear."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import static_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import norm, ravel, unravel
from thalweg.core.types import Params, Scalar, State
from thalweg.solvers.trust_region.model import LocalModel, QuadraticModel, TrialPoint, unit_length
from thalweg.solvers.trust_region.subproblem import QuadraticForm, Spectrum


class Residuals(NamedTuple):
    """Half the square of the residuals `r` at a point, `r` as one vector, and products `push(v) = Jv`, `pull(w) = J'w`.

    Residuals may be wider than the variables: the value is then too, the rest has the dtype of the variables.
    """

    value: Scalar
    r: jax.Array
    push: Callable[[jax.Array], jax.Array]
    pull: Callable[[jax.Array], jax.Array]


def linearized_residuals(problem: Problem, x: Params) -> Residuals:
    """Residuals and both products from one evaluation."""
    at = ravel(x)

    def fun(v: jax.Array) -> tuple[jax.Array, Scalar]:
        r = _residuals(problem, unravel(v, x))
        return r.astype(v.dtype), 0.5 * (r @ r)

    r, push, value = jax.linearize(fun, at, has_aux=True)
    pull = jax.linear_transpose(push, at)
    return Residuals(value, r, push, lambda w: pull(w)[0])


def _residuals(problem: Problem, x: Params) -> jax.Array:
    """All residuals as one vector."""
    objective: Any = problem.objective  # of a problem that offers RESIDUALS
    return ravel(objective.residual(x))


def jacobian(at: Residuals, n: int) -> jax.Array:
    """The Jacobian, by columns or by rows, whichever are fewer."""
    m, dtype = at.r.size, at.r.dtype
    return (
        jax.vmap(at.push, out_axes=1)(jnp.eye(n, dtype=dtype)) if n <= m else jax.vmap(at.pull)(jnp.eye(m, dtype=dtype))
    )


def eigendecomposition(matrix: jax.Array, r: jax.Array, hvps: int) -> Spectrum:
    r"""\(J'J\) in its eigenvectors by orthogonal transformations of \(J\) alone, and \(c = V'J'r\).

    \(J = QR\), \(R = USV'\): eigenvalues \(s_i^2\) and slopes \(s_i\,u_i'Q'r\), with errors of \(\kappa(J)\), where
    the matrix \(J'J\) would square it. Singular values below rounding are zero, and so is the slope along them.
    """
    q, triangle = jnp.linalg.qr(matrix)
    u, s, vt = jnp.linalg.svd(triangle, full_matrices=False)
    s = jnp.where(s > float(jnp.finfo(s.dtype).eps) * max(matrix.shape) * s[0], s, 0)
    slopes = s * (u.T @ (q.T @ r))
    return Spectrum((s**2)[::-1], vt.T[:, ::-1], slopes[::-1], hvps)


class GaussNewtonModel(QuadraticModel):
    r"""\(\tfrac12\|r + Jp\|^2\): gradient \(J'r\), and \(J'J\) in place of the Hessian.

    What it leaves out, \(\sum_i r_i\nabla^2 r_i\), vanishes with the residuals. The matrix is never negative, so it
    knows nothing of saddles. One linearization of the residuals a step gives \(r\), \(Jv\) and \(J'w\); a product
    \(J'Jv\), or a column or row of the matrix, counts as one Hessian product.

    - `scaled`: measure steps by \(\|Dp\|\), where \(D_i\) is the largest norm that column \(i\) of \(J\) has had: the
      method is then the same in whatever units the variables are. It forms the matrix; False needs products only.

    **References** Moré 1978, doi:10.1007/BFb0067700.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.RESIDUALS})
    exact_hessian: ClassVar[bool] = False
    scaled: bool = static_field(True)

    def init(self, problem: Problem, x: Params) -> State:
        """The largest norms of the columns so far, which are none."""
        return jnp.zeros_like(ravel(x)) if self.scaled else ()

    def at(self, problem: Problem, x: Params, memory: State) -> LocalModel:
        """One linearization of the residuals, and the matrix where steps are scaled."""
        at = linearized_residuals(problem, x)
        grad, evals = at.pull(at.r), problem.evals(value=1, gradient=1)
        matrix = jacobian(at, grad.size) if self.scaled else None
        if matrix is None:
            n, products = grad.size, min(grad.size, at.r.size)
            spectrum = lambda: eigendecomposition(jacobian(at, n), at.r, products)  # noqa: E731
            quadratic = QuadraticForm(grad, lambda v: at.pull(at.push(v)), spectrum)
            return LocalModel(at.value, grad, quadratic, unit_length(x), evals)
        norms = jnp.maximum(memory, jax.vmap(norm, in_axes=1)(matrix))
        scale = jnp.where(norms > 0, norms, 1)
        matrix = matrix / scale
        g = grad / scale
        products = min(matrix.shape)
        quadratic = QuadraticForm(g, lambda v: (matrix @ v) @ matrix, lambda: eigendecomposition(matrix, at.r, 0))
        size = norm(scale * ravel(x))
        length = jnp.where(size > 0, size, norm(scale))
        evals = problem.evals(value=1, gradient=1, hvp=products)
        return LocalModel(at.value, grad, quadratic, length, evals, scale, product=0, memory=norms)

    def trial(self, problem: Problem, local: LocalModel, x: Params, there: Params) -> TrialPoint:
        """The residuals at `there`, and their derivative along the step."""
        p = jax.tree.map(jnp.subtract, there, x)
        r, dr = jax.jvp(lambda x: _residuals(problem, x), (there,), (p,))
        return TrialPoint(0.5 * (r @ r), r @ dr, problem.evals(value=1), local.memory, local.memory)
