"""Schedule-Free learning: averaging in place of a schedule."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field
from thalweg.core.first_order import ask, gradient_info
from thalweg.core.oracle import CHANGING, Oracle
from thalweg.core.problem import Problem
from thalweg.core.rule import Rule, check_rule, needs_of, rule_field
from thalweg.core.solver import Solver
from thalweg.core.tree import add, combine
from thalweg.core.types import Key, Params, Scalar, ScalarLike, Step, real
from thalweg.rules.adamw import AdamW
from thalweg.rules.masks import Mask
from thalweg.rules.sgd import SGD


class ScheduleFreeState(NamedTuple):
    """The average `x`, the fast iterate `z`, the rule's state, the sum of the weights and the largest rate so far."""

    x: Params
    z: Params
    rule: Any
    total: Scalar
    largest: Scalar


class ScheduleFree(Solver):
    r"""A rule on a fast iterate \(z\), gradients between it and the average, and the average as the result.

    \[ y_t = (1-\beta)\,z_t + \beta\,x_t, \quad z_{t+1} = z_t + \mathrm{rule}(\nabla f(y_t)), \quad
       x_{t+1} = (1-c_{t+1})\,x_t + c_{t+1}\,z_{t+1}, \quad c_{t+1} = \frac{w_t}{\sum_{s\le t} w_s}, \]

    with \(w_t = (\max_{s\le t}\eta_s)^p\): no schedule needs to know when the run ends, except a warm-up.

    - `rule`: any `Rule`; give Adam-like rules no momentum of their own (`b1=0`), \(\beta\) takes its place.
    - `beta`: \(\beta\) in [0, 1), how near the average the gradient is taken. 0 is Polyak-Ruppert averaging.
    - `power`: \(p\) >= 0. With a constant rate all weights are equal, whatever it is.

    The reported point is the average \(x_t\); the trace describes \(y_t\), where the gradient was taken. The loop knows
    the difference, so there is no mode to switch, and running statistics are those of the gradient's point.

    **Needs** a gradient. **Takes** batches, random keys and model state.
    **Guarantee** For convex functions \(f(x_T) - f^* \le DG/\sqrt T\) with \(\eta = D/(G\sqrt T)\), gradients bounded
    by \(G\) and \(\|x_0 - x^*\| \le D\). Without noise the average of a sequence that converges linearly falls like
    \(1/T\), and the value of a smooth function there like \(1/T^2\).
    **References** Defazio et al. 2024, arXiv:2405.15682.
    """

    takes: ClassVar[frozenset[Oracle]] = CHANGING
    proxy: ClassVar[bool] = True
    rule: Rule = rule_field()
    beta: float = real_field(0.9)
    power: float = real_field(2.0)

    def __check_init__(self):
        check_rule(self)
        check_fraction(self, "beta")
        check_nonnegative(self, "power")

    @property
    def needs(self) -> frozenset[Oracle]:
        """A gradient, and what the rule needs beside it."""
        return frozenset({Oracle.GRADIENT}) | needs_of(self.rule)

    def init(self, problem: Problem, x: Params) -> ScheduleFreeState:
        """All sequences start at `x`."""
        return ScheduleFreeState(x, x, self.rule.init(x), real(0), real(0))

    def step(self, problem: Problem, state: ScheduleFreeState, key: Key) -> Step:
        """One step takes one gradient, updates `z`, and moves the average."""
        x, z = state.x, state.z
        seen = problem.objective.evaluate(_between(z, x, self.beta))
        update, rule = ask(self.rule, state.rule, seen.x, seen, problem, key)
        z = add(z, update)
        rate = self.rule.rate(state.rule)
        largest = jnp.maximum(state.largest, jnp.where(jnp.isnan(rate), 1.0, rate))  # a rule may not know its rate
        weight = largest**self.power
        total = state.total + weight
        x = _between(x, z, jnp.where(total > 0, weight / jnp.where(total > 0, total, 1), 0))
        info = gradient_info(problem, seen, rate, problem.whole)
        return Step(ScheduleFreeState(x, z, rule, total, largest), info, seen)

    def rebase(self, problem: Problem, state: ScheduleFreeState) -> ScheduleFreeState:
        """The rule has learned from gradients of one function: all sequences start afresh."""
        return self.init(problem, state.x)


def _between(a: Params, b: Params, share: ScalarLike) -> Params:
    """`(1 - share) a + share b`, in the dtypes of `a`."""
    return combine(lambda p, q, s: (1 - s) * p + s * q, (a, b), share)


def ScheduleFreeSGD(learning_rate: Any, beta: float = 0.9, power: float = 2.0) -> ScheduleFree:
    r"""Schedule-Free SGD: gradient descent on a fast iterate, its average as the result.

    \[ y_t = (1-\beta)\,z_t + \beta\,x_t, \quad z_{t+1} = z_t - \eta_t\nabla f(y_t), \quad
       x_{t+1} = (1-c_{t+1})\,x_t + c_{t+1}\,z_{t+1}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule that only warms up. `beta`, `power`: see `ScheduleFree`.

    **Needs** a gradient. **Takes** batches, random keys and model state.
    **Guarantee** That of `ScheduleFree`.
    **References** Defazio et al. 2024, arXiv:2405.15682.
    """
    return ScheduleFree(SGD(learning_rate), beta, power)


def ScheduleFreeAdamW(
    learning_rate: Any = 2.5e-3,
    beta: float = 0.9,
    b2: Any = 0.999,
    eps: float = 1e-8,
    *,
    weight_decay: float = 0.0,
    power: float = 2.0,
    mask: Mask | None = None,
) -> ScheduleFree:
    r"""Schedule-Free AdamW: AdamW without momentum on a fast iterate, its average as the result.

    \[ y_t = (1-\beta)\,z_t + \beta\,x_t, \quad
       z_{t+1} = z_t - \eta_t\left(\frac{\nabla f(y_t)}{\sqrt{\hat v_t} + \varepsilon} + \lambda\,y_t\right), \quad
       x_{t+1} = (1-c_{t+1})\,x_t + c_{t+1}\,z_{t+1}. \]

    - `learning_rate`: \(\eta\) >= 0, or a schedule that only warms up. `beta`, `power`: see `ScheduleFree`.
    - `b2`: in [0, 1), or a schedule, for the mean \(\hat v\) of the squared gradients, corrected for its start at zero.
    - `eps`: \(\varepsilon\) >= 0, outside the root. `weight_decay`: \(\lambda\) >= 0. `mask`: see `tw.AdamW`.

    The decay is that of \(y_t\), where the gradient is taken, as in the authors' code and in Optax.

    **Needs** a gradient. **Takes** batches, random keys and model state.
    **Guarantee** None in general, as for AdamW; the average of the fast iterates moves less than they do.
    **References** Defazio et al. 2024, arXiv:2405.15682, algorithm 1.
    """
    rule = AdamW(learning_rate, b1=0.0, b2=b2, eps=eps, weight_decay=weight_decay, mask=mask)
    return ScheduleFree(rule, beta, power)
