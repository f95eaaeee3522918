"""Stochastic gradients whose variance a full gradient takes away."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_positive, fail, real_field, static_field
from thalweg.core.optimality import residual
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Samples, Solver
from thalweg.core.tree import axpy, combine
from thalweg.core.types import Evals, Key, Params, Step, make_info, real


class SVRGState(NamedTuple):
    """The snapshot `x`, where the full gradient is taken."""

    x: Params


class SVRG(Solver, Samples):
    r"""Stochastic variance-reduced gradient: one step is a full gradient and `inner_steps` corrected stochastic ones.

    From the snapshot \(x_t = z_0\), with batches \(B_k\) of `batch_size` examples drawn with replacement,

    \[ v_k = \nabla f_{B_k}(z_k) - \nabla f_{B_k}(x_t) + \nabla f(x_t), \qquad
       z_{k+1} = \operatorname{prox}_{sh}(z_k - s\,v_k), \qquad x_{t+1} = z_m. \]

    The correction is exact at the snapshot, so its variance vanishes with the distance from the minimum, and the step
    size stays constant.

    - `step_size`: \(s\) > 0, a number: about \(1/L\) to \(1/10L\) for \(L\)-smooth terms. A schedule would give away
      what the correction gains.
    - `batch_size`: examples of an inner step, from 1 to n.
    - `inner_steps`: \(m\), >= 1; None for one pass over the data, `ceil(n / batch_size)`.

    **Needs** a gradient, a mean over data examples, and the same function at every step. **Takes** a nonsmooth part
    and bounds. A step reads `n + 2 * batch_size * inner_steps` examples; `tw.Epochs` counts them.
    **Guarantee** For \(L\)-smooth convex terms and a \(\mu\)-strongly convex mean, without nonsmooth part and with
    batches of 1, \(x_{t+1}\) drawn at random from \(z_0, \dots, z_{m-1}\) has
    \(E[F(x_{t+1}) - F^*] \le \alpha\,E[F(x_t) - F^*]\),
    \(\alpha = \frac{1}{\mu s (1 - 2Ls) m} + \frac{2Ls}{1 - 2Ls}\). The last point, taken here, is the better one in
    practice, and has a linear rate too for small enough \(s\).
    **References** Johnson & Zhang 2013, NeurIPS 26 (theorem 1; option I is taken here); Xiao & Zhang 2014,
    doi:10.1137/140961791 (prox); Tan, Ma, Dai & Qian 2016, arXiv:1605.04131 (the last point).
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.GRADIENT, Oracle.FINITE_SUM, Oracle.WHOLE})
    takes: ClassVar[frozenset[Oracle]] = frozenset({Oracle.NONSMOOTH, Oracle.BOUNDS})
    proxy: ClassVar[bool] = False
    step_size: float = real_field()
    batch_size: int = static_field(1)
    inner_steps: int | None = static_field(None)

    def __check_init__(self):
        if callable(self.step_size):
            fail(self, "step_size", self.step_size, "a number > 0: the correction lets a constant step converge")
        check_positive(self, "step_size")
        check_count(self, "batch_size")
        if self.inner_steps is not None:
            check_count(self, "inner_steps")

    def examples(self, n: int) -> int:
        """A step reads all examples at the snapshot, and a batch at two points in every inner step."""
        return n + 2 * self.batch_size * self.length(n)

    def length(self, n: int) -> int:
        """How many inner steps there are with `n` examples."""
        return -(-n // self.batch_size) if self.inner_steps is None else self.inner_steps

    def init(self, problem: Problem, x: Params) -> SVRGState:
        """The first snapshot is the start."""
        n = problem.objective.examples
        if self.batch_size > n:
            fail(self, "batch_size", self.batch_size, f"at most the {n} examples")
        return SVRGState(x)

    def step(self, problem: Problem, state: SVRGState, key: Key) -> Step:
        """One step takes a full gradient, then goes through batches that it draws."""
        snapshot, step_size = problem.objective.evaluate(state.x), real(self.step_size)

        def inner(z: Params, rows: jax.Array) -> tuple[Params, None]:
            batch = problem.objective.at(rows)
            here, there = batch.evaluate(z).grad, batch.evaluate(snapshot.x).grad
            v = combine(lambda a, b, mean: a - b + mean, (here, there, snapshot.grad))
            return problem.prox(axpy(-step_size, v, z), step_size), None

        n = problem.objective.examples
        batches = self.draw(key, n)
        x, _ = jax.lax.scan(inner, snapshot.x, batches)
        calls = 1 + 2 * len(batches)
        info = make_info(
            real(snapshot.value) + real(problem.nonsmooth.value(snapshot.x)),
            residual(problem, snapshot.x, snapshot.grad),
            problem.infeasibility(snapshot.x),
            step_size,
            evals=Evals(calls, calls, prox=len(batches), examples=self.examples(n)),
            aux=snapshot.aux,
        )
        return Step(SVRGState(x), info, snapshot)

    def rebase(self, problem: Problem, state: SVRGState) -> SVRGState:
        """Nothing but the point passes from step to step."""
        return self.init(problem, state.x)

    def draw(self, key: Key, n: int) -> jax.Array:
        """The numbers of the examples that are drawn, one row for each inner step."""
        return jax.random.randint(key, (self.length(n), self.batch_size), 0, n, jnp.int32)
