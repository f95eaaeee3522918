"""Accelerated proximal gradient descent."""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_positive, check_real, real_field, static_field
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.tree import axpy, dot, max_abs, select, subtract
from thalweg.core.types import Evaluation, Key, Params, Scalar, Step, make_info, real


class FISTAState(NamedTuple):
    """Where FISTA stands.

    - `x`: the iterate. `value`: the smooth value there. `z`: the extrapolated point. `t`: the momentum.
    - `step_size`: the last one. `unreported`: evaluations that no `Info` has counted yet.
    """

    x: Params
    value: Scalar
    z: Params
    t: Scalar
    step_size: Scalar
    unreported: Scalar


class ProximalTrial(NamedTuple):
    """One attempt at a step: its size, where it leads, the smooth value there, the attempts so far."""

    step_size: Scalar
    x: Params
    value: Scalar
    count: Scalar


class FISTA(Solver):
    r"""Minimizes \(f + h\) for smooth \(f\) and convex \(h\) with a prox; with momentum, restart and backtracking.

    \[ x_{k+1} = \operatorname{prox}_{sh}\bigl(z_k - s\nabla f(z_k)\bigr), \qquad
       t_{k+1} = \tfrac12\Bigl(1 + \sqrt{1 + 4t_k^2}\Bigr), \qquad
       z_{k+1} = x_{k+1} + \tfrac{t_k - 1}{t_{k+1}}\,(x_{k+1} - x_k). \]

    The step \(s\) shrinks by `decrease` until \(f(x_{k+1}) \le f(z) + \langle\nabla f(z), d\rangle + \|d\|^2/2s\) with
    \(d = x_{k+1} - z\). The momentum restarts when it points uphill,
    \(\langle z_k - x_{k+1},\, x_{k+1} - x_k\rangle > 0\), and the step may then grow by `growth`.

    - `step_size`: the first step tried, > 0. `decrease`: in (0, 1). `growth`: >= 1.
    - `max_trials`: attempts in one step, >= 1.

    **Needs** a gradient and the same function at every step. **Takes** a penalty or a set, and bounds.
    **Guarantee** \(F(x_k) - F^* \le 2\max\{L/\beta,\, 1/s_0\}\,\|x_0 - x^*\|^2 / (k+1)^2\) for convex \(f\) with
    \(L\)-Lipschitz gradient, \(\beta\) = `decrease` and \(s_0\) = `step_size`, as long as the momentum is not
    restarted; linear near a strongly convex minimum with restarts.
    **References** Beck & Teboulle 2009, doi:10.1137/080716542; O'Donoghue & Candès 2015,
    doi:10.1007/s10208-013-9150-3 (restart).
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.GRADIENT, Oracle.WHOLE})
    takes: ClassVar[frozenset[Oracle]] = frozenset({Oracle.NONSMOOTH, Oracle.SET, Oracle.BOUNDS})
    proxy: ClassVar[bool] = True
    step_size: float = real_field(1.0)
    decrease: float = real_field(0.5)
    growth: float = real_field(2.0)
    max_trials: int = static_field(60)

    def __check_init__(self):
        check_positive(self, "step_size")
        check_real(self, "decrease", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_real(self, "growth", 1.0, jnp.inf, "a finite number >= 1", open_high=True)
        check_count(self, "max_trials")

    def init(self, problem: Problem, x: Params) -> FISTAState:
        """The method is at rest at `x`, or at the nearest point of a set."""
        x, one = problem.project(x) if problem.nonsmooth.is_set else x, jnp.asarray(1, jnp.int32)
        return FISTAState(x, real(problem.objective.value(x)), x, real(1.0), real(self.step_size), one)

    def step(self, problem: Problem, state: FISTAState, key: Key) -> Step:
        """One step takes the gradient at the extrapolated point and searches for a step size."""
        ahead = problem.objective.evaluate(state.z)
        found = self.search(problem, ahead, state.step_size)
        accepted = self.accepts(ahead, found)
        uphill = dot(subtract(state.z, found.x), subtract(found.x, state.x)) > 0
        t = jnp.where(uphill, 1.0, 0.5 * (1 + jnp.sqrt(1 + 4 * state.t**2)))
        momentum = jnp.where(uphill, 0.0, (state.t - 1) / t)
        z = axpy(momentum, subtract(found.x, state.x), found.x)
        step_size = jnp.where(uphill, self.growth * found.step_size, found.step_size)
        info = make_info(
            state.value + real(problem.nonsmooth.value(state.x)),
            real(max_abs(subtract(state.z, found.x))) / found.step_size,
            problem.infeasibility(state.x),
            found.step_size,
            evals=problem.evals(value=1 + found.count + state.unreported, gradient=1, prox=found.count),
            status=jnp.where(accepted, Status.RUNNING.value, Status.SEARCH_FAILED.value),
        )
        none = jnp.asarray(0, jnp.int32)
        new = FISTAState(found.x, found.value, z, t, step_size, none)
        return Step(select(accepted, new, state._replace(unreported=none)), info)

    def rebase(self, problem: Problem, state: FISTAState) -> FISTAState:
        """Momentum and step size are those of one function: both start afresh."""
        return self.init(problem, state.x)

    def search(self, problem: Problem, ahead: Evaluation, step_size: Scalar) -> ProximalTrial:
        """The first step size, shrinking from `step_size`, whose quadratic model lies above the function."""

        def attempt(trial):
            s = trial.step_size
            x = problem.prox(axpy(-s, ahead.grad, ahead.x), s)
            return ProximalTrial(s, x, real(problem.objective.value(x)), trial.count + 1)

        def again(trial):
            return (trial.count == 0) | (~self.accepts(ahead, trial) & (trial.count < self.max_trials))

        def body(trial):
            shrunk = jnp.where(trial.count == 0, 1.0, self.decrease) * trial.step_size
            return attempt(trial._replace(step_size=shrunk))

        first = ProximalTrial(step_size, ahead.x, real(jnp.inf), jnp.asarray(0, jnp.int32))
        return jax.lax.while_loop(again, body, first)

    def accepts(self, ahead: Evaluation, trial: ProximalTrial) -> Scalar:
        """The quadratic upper bound, with the rounding of the value allowed for."""
        d = subtract(trial.x, ahead.x)
        value = real(ahead.value)
        slack = 10 * float(jnp.finfo(jnp.result_type(ahead.value)).eps) * jnp.abs(value)
        model = value + real(dot(ahead.grad, d)) + real(dot(d, d)) / (2 * trial.step_size)
        return (trial.value <= model + slack) | (trial.value == -jnp.inf)
