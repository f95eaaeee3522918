"""Expectation-maximization."""

from typing import Any, ClassVar, NamedTuple

from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.tree import displacement
from thalweg.core.types import Key, Params, Step, make_info


class EMState(NamedTuple):
    """The model's parameters."""

    x: Params


class EM(Solver):
    r"""Expectation-maximization: the likelihood of a model with hidden variables, climbed without a step size.

    \[ Q(x \mid x_t) = \mathbb E_{z \sim p(\cdot \mid X;\, x_t)} \log p(X, z;\, x), \qquad
       x_{t+1} = M(x_t) = \arg\max_x Q(x \mid x_t). \]

    One step is one pass over the data: the E step takes the expected sufficient statistics and the mean
    log-likelihood at \(x_t\), the M step is the model's closed form. `value` is the negative of that mean;
    `optimality` is \(\max|M(x_t) - x_t|\), for each array relative to its largest entry where that exceeds 1. It is
    zero exactly at the fixed points of \(M\); where \(M\) maximizes \(Q\), these are stationary points of the
    likelihood.

    **Needs** a latent-variable model (`tw.GaussianMixture`, any `tw.LatentModel`) and the same data at every step.
    **Guarantee** the likelihood never falls; near a maximum the error falls by the largest fraction of missing
    information a step, slowly where components overlap.
    **References** Dempster, Laird & Rubin 1977, doi:10.1111/j.2517-6161.1977.tb01600.x; Wu 1983,
    doi:10.1214/aos/1176346060 (convergence).
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.LATENT, Oracle.WHOLE})
    takes: ClassVar[frozenset[Oracle]] = frozenset()
    proxy: ClassVar[bool] = False

    def init(self, problem: Problem, x: Params) -> EMState:
        """The state is the start alone."""
        return EMState(x)

    def step(self, problem: Problem, state: EMState, key: Key) -> Step:
        """One step is an E step and an M step."""
        objective: Any = problem.objective  # of a problem that offers LATENT
        value, x = objective.improve(state.x)
        info = make_info(value, displacement(state.x, x), evals=problem.evals(value=1))
        return Step(EMState(x), info)

    def rebase(self, problem: Problem, state: EMState) -> EMState:
        """Nothing but the parameters passes from step to step."""
        return state
