"""Newton's method with a dense Hessian, and what to do where it is not positive definite."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, check_positive, fail, real_field, static_field
from thalweg.core.objective import Objective
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import common_dtype, max_abs, ravel, unravel
from thalweg.core.types import Evaluation, Key, Params, Scalar, State
from thalweg.line_search.protocol import LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.descent.descent import Descent
from thalweg.solvers.descent.direction import Direction, Heading, Taken
from thalweg.solvers.descent.truncated_cg import CURVATURE_ROUNDINGS

BLOCK_ENTRIES = 2**23
"""Numbers that one block of columns of the Hessian may need for each number that an example needs."""
_SMALL_GRADIENT = 1e-2
"""A gradient that is smaller in units of the negative curvature leads nowhere: the curvature is followed instead."""


class _ModifiedStep(NamedTuple):
    """A direction and what is known of the curvature there.

    - `d`: the direction. `directional_curvature`: `min(d'Hd, 0)` where it follows negative curvature.
    - `lowest`: the smallest Rayleigh quotient that was met. `negative`: whether it is below 0 beyond rounding.
    """

    d: jax.Array
    directional_curvature: Scalar
    lowest: Scalar
    negative: Scalar


class NewtonDirection(Direction):
    r"""\(d = -B^{-1}\nabla f(x)\), where \(B = \nabla^2 f(x)\) if that is positive definite.

    For the fields see `Newton`.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.HVP})
    takes: ClassVar[frozenset[Oracle]] = frozenset()
    modification: str = static_field("shift")
    damping: float = real_field(0.0)
    max_step: float = real_field(10.0)

    def __check_init__(self):
        if self.modification not in _MODIFICATIONS:
            fail(self, "modification", self.modification, " or ".join(f'"{name}"' for name in _MODIFICATIONS))
        check_nonnegative(self, "damping")
        check_positive(self, "max_step")

    def init(self, x: Params) -> State:
        """The direction keeps no memory."""
        return ()

    def __call__(self, problem: Problem, here: Evaluation, state: State, key: Key) -> Heading:
        """Newton's step by Cholesky's factors; where there are none, a modified one by eigenvalues."""
        g, h = ravel(here.grad), dense_hessian(problem.objective, here.x)
        known = jnp.isfinite(h).all()
        h = jnp.where(known, h, 0)  # then the function passes for a linear one
        scale = jnp.maximum(max_abs(here.x), 1).astype(g.dtype)
        damping = jnp.asarray(self.damping, g.dtype)
        # That damping makes the matrix positive definite says nothing of the point.
        positive = jnp.isfinite(jnp.linalg.cholesky(h)).all()
        plan = jax.lax.cond(
            positive, lambda: _definite(h, g, damping), lambda: _indefinite(h, g, damping, scale, self.modification)
        )
        length = max_abs(plan.d)
        most = self.max_step * scale / jnp.where(length > 0, length, 1)
        return Heading(
            unravel(plan.d, here.grad),
            initial_step=jnp.minimum(most, 1),
            max_step=most,
            directional_curvature=plan.directional_curvature,
            curvature=jnp.where(known, plan.lowest, jnp.nan),
            negative=plan.negative,
            evals=1,
            hvps=g.size,
        )

    def update(self, state: State, taken: Taken) -> State:
        """A step teaches the direction nothing."""
        return state


def dense_hessian(objective: Objective, x: Params) -> jax.Array:
    """The Hessian as its products with the unit vectors, so many at a time as fit into memory beside the examples."""
    product = objective.hessian(x)
    n = ravel(x).size
    blocks = -(-n * max(objective.examples, 1) // BLOCK_ENTRIES)
    columns = -(-n // blocks)
    units = jnp.eye(blocks * columns, n, dtype=common_dtype(x)).reshape(blocks, columns, n)

    def one(unit: jax.Array) -> jax.Array:
        return ravel(product(unravel(unit, x)))

    rows = jax.vmap(one)(units[0]) if blocks == 1 else jax.lax.map(jax.vmap(one), units)
    return rows.reshape(-1, n)[:n]


def _definite(h: jax.Array, g: jax.Array, damping: Scalar) -> _ModifiedStep:
    """Newton's step. The smallest entry of the diagonal is the smallest quotient that one sees for nothing."""
    root = jnp.linalg.cholesky(h + damping * jnp.eye(g.size, dtype=g.dtype))
    d = -jax.scipy.linalg.cho_solve((root, True), g)
    return _ModifiedStep(d, jnp.zeros((), g.dtype), jnp.min(jnp.diagonal(h)), jnp.asarray(False))


def _indefinite(h: jax.Array, g: jax.Array, damping: Scalar, scale: Scalar, modification: str) -> _ModifiedStep:
    """With modified eigenvalues; along the lowest eigenvector where the gradient leads nowhere."""
    values, vectors = jnp.linalg.eigh(h)
    lowest, largest = values[0], max_abs(values)
    negative = lowest < -max(CURVATURE_ROUNDINGS, g.size) * float(jnp.finfo(g.dtype).eps) * largest
    size, along = max_abs(g), g @ vectors
    curvatures = _MODIFICATIONS[modification](values, largest) + damping
    # A linear function has no curvature: its step is as long as x.
    curvatures = jnp.where(curvatures > 0, curvatures, jnp.where(size > 0, size / scale, 1))
    modified = -(vectors @ (along / curvatures))
    escape = jnp.where(along[0] > 0, -scale, scale) * vectors[:, 0]
    follow = negative & (size <= -_SMALL_GRADIENT * lowest * scale)
    followed = jnp.where(follow, lowest * scale * scale, 0)
    return _ModifiedStep(jnp.where(follow, escape, modified), followed, lowest, negative)


def _shifted(values: jax.Array, largest: Scalar) -> jax.Array:
    """All larger by the same, so that the smallest is as far above zero as it was below: the matrix `H + tau I`."""
    return values + 2 * jnp.maximum(-values[0], _eigenvalue_rounding(values, largest))


def _absolute(values: jax.Array, largest: Scalar) -> jax.Array:
    """The matrix `|H|`, no eigenvalue below its rounding."""
    return jnp.maximum(jnp.abs(values), _eigenvalue_rounding(values, largest))


def _eigenvalue_rounding(values: jax.Array, largest: Scalar) -> Scalar:
    """How far computed eigenvalues may be off."""
    return values.size * float(jnp.finfo(values.dtype).eps) * largest


_MODIFICATIONS: dict[str, Callable[[jax.Array, Scalar], jax.Array]] = {"shift": _shifted, "absolute": _absolute}
"""Name -> what becomes of the eigenvalues, smallest first, where one of them is not positive."""


def Newton(
    search: LineSearch = StrongWolfe(), modification: str = "shift", damping: float = 0.0, max_step: float = 10.0
) -> Descent:
    r"""Newton's method with a dense Hessian and a line search, safe where the Hessian is indefinite.

    \(x_{t+1} = x_t - s_t B_t^{-1}\nabla f(x_t)\), where \(B_t = \nabla^2 f(x_t) + \delta I\) if
    \(\nabla^2 f(x_t) = V\Lambda V'\) is positive definite, and otherwise

    - `modification="shift"`: \(B_t = \nabla^2 f(x_t) + (\tau + \delta) I\) with \(\tau = -2\lambda_{\min}\);
    - `modification="absolute"`: \(B_t = V|\Lambda|V' + \delta I\), see `SaddleFreeNewton`.

    Where the gradient is small beside \(\lambda_{\min} < 0\) the step goes along its eigenvector, so a saddle is left;
    `Info.optimality` is at least \(-\lambda_{\min}\), so it is never taken for a minimum. Where all second derivatives
    vanish as well, as on a monkey saddle, nothing tells it from a flat minimum: the run ends there as converged, and
    `extra["curvature"]` is 0. It is the smallest eigenvalue where the Hessian is not positive definite, the smallest
    entry of the diagonal where it is.

    - `search`: a `LineSearch`; it starts at \(s = 1\). `modification`: `"shift"` or `"absolute"`, as above.
    - `damping`: \(\delta \ge 0\) (Levenberg).
    - `max_step`: > 0; no entry of a step exceeds `max_step` times \(\max(1, \|x_t\|_\infty)\), so that a nearly
      singular Hessian does not throw the iterate onto a plateau.

    **Needs** a gradient, Hessian-vector products and the same function at every step. A step takes n products, in
    blocks where there are many examples, \(n^3/3\) multiplications, and about \(9n^3\) where the Hessian is indefinite.
    **Guarantee** Quadratic near a minimum with a positive definite, Lipschitz Hessian, where \(s = 1\) passes; to
    stationary points if the \(B_t\) are bounded and uniformly positive definite.
    **References** Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, sections 3.3 and 3.4; Boyd & Vandenberghe
    2004, section 9.5; Moré & Sorensen 1979, doi:10.1007/BF01582091 (negative curvature).
    """
    return Descent(NewtonDirection(modification, damping, max_step), search)


def SaddleFreeNewton(search: LineSearch = StrongWolfe(), damping: float = 0.0, max_step: float = 10.0) -> Descent:
    r"""Newton's method with the absolute values of the Hessian's eigenvalues: saddles repel.

    \(x_{t+1} = x_t - s_t (V|\Lambda|V' + \delta I)^{-1}\nabla f(x_t)\) with \(\nabla^2 f(x_t) = V\Lambda V'\): the
    step of Newton's method, turned round along the eigenvectors of negative curvature.

    The eigenvalues are all exact here; the paper approximates them in a Krylov space.

    - `search`, `damping`, `max_step`: as in `Newton`.

    **Needs** a gradient, Hessian-vector products and the same function at every step.
    **Guarantee** That of `Newton`: where the Hessian is positive definite the two are one.
    **References** Dauphin et al. 2014, arXiv:1406.2572.
    """
    return Newton(search, "absolute", damping, max_step)
