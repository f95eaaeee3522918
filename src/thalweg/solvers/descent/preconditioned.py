"""L-BFGS that begins with the Hessian of some of the examples."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, static_field
from thalweg.core.objective import Objective
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import common_dtype, max_abs, ravel, select, unravel
from thalweg.core.types import Evals, Evaluation, Key, Params, Scalar
from thalweg.line_search.protocol import LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.descent.descent import Descent, scale
from thalweg.solvers.descent.direction import Direction, Heading, Taken
from thalweg.solvers.descent.lbfgs import SecantPairs, no_pairs, remembered, two_loops
from thalweg.solvers.descent.newton import dense_hessian
from thalweg.solvers.descent.secant import Secant, secant_pair


class Preconditioned(NamedTuple):
    r"""The pairs, and a square root of the preconditioner: \(P^{-1} = RR'\)."""

    pairs: SecantPairs
    root: jax.Array


class PreconditionedLBFGSDirection(Direction):
    r"""\(d = -H\nabla f(x)\) with the first matrix \(\gamma P^{-1}\) in place of \(\gamma I\).

    For the fields see `PreconditionedLBFGS`.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.HVP, Oracle.FINITE_SUM})
    takes: ClassVar[frozenset[Oracle]] = frozenset()
    examples: int = static_field(2000)
    memory: int = static_field(10)
    floor: float = real_field(1e-4)

    def __check_init__(self):
        check_count(self, "examples", "memory")
        check_real(self, "floor", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)

    def init(self, x: Params) -> Preconditioned:
        """There are no pairs yet, so that the preconditioner is learned at the next point."""
        n = sum(leaf.size for leaf in jax.tree.leaves(x))
        return Preconditioned(no_pairs(self.memory, x), jnp.zeros((n, n), common_dtype(x)))

    def __call__(self, problem: Problem, here: Evaluation, state: Preconditioned, key: Key) -> Heading:
        """The two loops around a product with the preconditioner."""
        (pairs, _), objective = state, problem.objective
        fresh = pairs.gamma == 0
        root = jax.lax.cond(fresh, lambda: self.root(objective, here, key), lambda: state.root)
        gamma = jnp.where(fresh, 1, pairs.gamma)
        d = -two_loops(pairs, ravel(here.grad), lambda q: gamma * (root @ (q @ root)))
        learned, few = fresh.astype(jnp.int32), min(self.examples, objective.examples)
        sampled = Evals(learned, learned, learned * len(root), examples=learned * (1 + len(root)) * few)
        return Heading(unravel(d, here.grad), Preconditioned(pairs, root), sampled=sampled)

    def root(self, objective: Objective, here: Evaluation, key: Key) -> jax.Array:
        """A square root of the preconditioner, from the Hessian of a sample in units in which its diagonal is 1.

        A linear function has the curvature of a step whose largest entry is 1.
        """
        whole = self.examples >= objective.examples
        few = objective if whole else objective.at(self.draw(key, objective.examples))
        h = dense_hessian(few, here.x)
        h, floor = jnp.where(jnp.isfinite(h).all(), h, 0), jnp.asarray(self.floor, h.dtype)
        diagonal = jnp.abs(jnp.diagonal(h))
        unit = jnp.sqrt(jnp.where(max_abs(h) > 0, jnp.maximum(diagonal, floor * max_abs(h)), scale(here.grad)))
        values, vectors = jnp.linalg.eigh(h / unit / unit[:, None])
        known = jnp.where(max_abs(h) > 0, jnp.maximum(jnp.abs(values), floor), 1)
        return vectors / jnp.sqrt(known) / unit[:, None]

    def draw(self, key: Key, n: int) -> jax.Array:
        """The numbers of the sampled examples, out of `n`."""
        return jax.random.randint(key, (self.examples,), 0, n, jnp.int32)

    def update(self, state: Preconditioned, taken: Taken) -> Preconditioned:
        """As in L-BFGS, with the size of the first matrix measured against the preconditioner."""
        pair = secant_pair(taken)
        pairs = remembered(state.pairs, pair)._replace(gamma=_inverse_scale(pair, state.root))
        return select(pair.good, Preconditioned(pairs, state.root), state)


def _inverse_scale(pair: Secant, root: jax.Array) -> Scalar:
    r"""\(s'y / y'P^{-1}y\), with which \(\gamma P^{-1}\) satisfies the secant equation as well as it can."""
    peak = jnp.where(max_abs(pair.y) > 0, max_abs(pair.y), 1)
    unit = pair.y / peak  # against overflow
    turned = unit @ root
    return (pair.s @ unit) / (turned @ turned) / peak


def PreconditionedLBFGS(
    examples: int = 2000, memory: int = 10, floor: float = 1e-4, search: LineSearch = StrongWolfe()
) -> Descent:
    r"""L-BFGS whose first matrix is the inverse Hessian of some of the examples: much data, few variables.

    \(x_{t+1} = x_t - s_tH_t\nabla f(x_t)\) with \(H_t\) the BFGS matrix of the last `memory` pairs, built on
    \(\gamma_tP^{-1}\) in place of \(\gamma_tI\):

    \[ P = DV\,\max\{|\Lambda|, \epsilon\}\,V'D, \qquad
       B = \frac1m\sum_{i\in S}\nabla^2 f_i(x_0) = DV\Lambda V'D, \qquad \gamma_t = \frac{s'y}{y'P^{-1}y}, \]

    and \(D_i^2 = \max\{|B_{ii}|, \epsilon\max_{jk}|B_{jk}|\}\). It is L-BFGS in variables in which the function is
    about as curved in all directions, and does not depend on their units. \(S\) is drawn once, with replacement, from
    the solver's key; after a failed search another is drawn where the run stands.

    - `examples`: \(m\) >= 1; ten times as many as variables serve. From the number of all examples on all are taken.
    - `memory`: pairs kept, >= 1. `floor`: \(\epsilon\) in (0, 1). `search`: a `LineSearch`; it starts at \(s = 1\).

    **Needs** a gradient, Hessian-vector products and a mean over examples, the same at every step. The first step takes
    n products with `examples` examples and \(9n^3\); every step \(2n^2\) more than L-BFGS.
    **Guarantee** That of L-BFGS. On a quadratic the distance of the value from its minimum falls by
    \(((\sqrt\kappa-1)/(\sqrt\kappa+1))^2\) a step with exact search and enough memory, where \(\kappa\) is the
    condition number of \(P^{-1}\nabla^2 f\), whatever that of \(\nabla^2 f\).
    **References** Byrd, Chin, Neveitt & Nocedal 2011, doi:10.1137/10079923X (there by conjugate gradients); Liu &
    Nocedal 1989, doi:10.1007/BF01589116.
    """
    return Descent(PreconditionedLBFGSDirection(examples, memory, floor), search)
