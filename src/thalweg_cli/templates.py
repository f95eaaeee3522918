"""The files of a new method as `thalweg new` writes them: a running mean of the gradients, until it is replaced."""

RULE = '''"""CLASS: one line that says what is new."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field
from thalweg.core.rule import Rule, at, lift
from thalweg.core.tree import zeros_like
from thalweg.core.types import Params, Scalar


class CLASSState(NamedTuple):
    """Updates made, and the running mean of the gradient."""

    count: Scalar
    m: Params


class CLASS(Rule):
    r"""One line: what it does, in the reader's words.

    \\[ m_t = \\beta\\,m_{t-1} + (1-\\beta)\\,g_t, \\qquad x_{t+1} = x_t - \\eta_t\\,m_t. \\]

    - `learning_rate`: \\(\\eta\\) >= 0, or a schedule. `beta`: in [0, 1), or a schedule.

    **Needs** a gradient.
    **Guarantee** The rate and its assumptions; the claim of the registry's row is the one that is measured.
    **References** Author YEAR, arXiv:0000.00000.
    """

    learning_rate: Any = real_field()
    beta: Any = real_field(0.5)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate")
        check_fraction(self, "beta")

    def init(self, params: Params) -> CLASSState:
        """The mean at zero."""
        return CLASSState(jnp.zeros((), jnp.int32), zeros_like(params))

    def update(
        self, grads: Params, state: CLASSState, params: Params | None = None, **extra
    ) -> tuple[Params, CLASSState]:
        """One step of the iteration."""

        def step(g, m, eta, beta):
            m = beta * m + (1 - beta) * g
            return -eta * m, m

        update, m = lift(step, (grads, state.m), self.rate(state), at(self.beta, state.count))
        return update, CLASSState(state.count + 1, m)

    def rate(self, state: CLASSState) -> Scalar:
        """The learning rate of the next update."""
        return at(self.learning_rate, state.count)
'''
"""A rule's module."""

SOLVER = '''"""CLASS: one line that says what is new."""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from thalweg.core.fields import check_fraction, check_nonnegative, real_field
from thalweg.core.optimality import residual
from thalweg.core.oracle import CHANGING, Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.tree import axpy, combine, zeros_like
from thalweg.core.types import Key, Params, Step, make_info


class CLASSState(NamedTuple):
    """The iterate, and the running mean of the gradient."""

    x: Params
    m: Params


class CLASS(Solver):
    r"""One line: what it does, in the reader's words.

    \\[ m_t = \\beta\\,m_{t-1} + (1-\\beta)\\,\\nabla f(x_t), \\qquad x_{t+1} = x_t - \\eta\\,m_t. \\]

    - `learning_rate`: \\(\\eta\\) >= 0. `beta`: in [0, 1).

    **Needs** a gradient. **Takes** batches, random keys and model state.
    **Guarantee** The rate and its assumptions; the claim of the registry's row is the one that is measured.
    **References** Author YEAR, arXiv:0000.00000.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset({Oracle.GRADIENT})
    takes: ClassVar[frozenset[Oracle]] = CHANGING
    proxy: ClassVar[bool] = False
    learning_rate: float = real_field()
    beta: float = real_field(0.5)

    def __check_init__(self):
        check_nonnegative(self, "learning_rate")
        check_fraction(self, "beta")

    def init(self, problem: Problem, x: Params) -> CLASSState:
        """The mean at zero."""
        return CLASSState(x, zeros_like(x))

    def rebase(self, problem: Problem, state: CLASSState) -> CLASSState:
        """The mean begins anew: gradients of another function say nothing of this one."""
        return self.init(problem, state.x)

    def step(self, problem: Problem, state: CLASSState, key: Key) -> Step:
        """One gradient, one step along its mean."""
        x = state.x
        seen = problem.objective.evaluate(x)
        m = combine(lambda m, g, beta: beta * m + (1 - beta) * g, (state.m, seen.grad), self.beta)
        info = make_info(
            seen.value,
            residual(problem, x, seen.grad) if problem.whole else jnp.nan,
            step_size=self.learning_rate,
            evals=problem.evals(value=1, gradient=1),
            aux=seen.aux,
        )
        return Step(CLASSState(axpy(-self.learning_rate, m, x), m), info, seen)
'''
"""A solver's module."""

TWIN = '''"""{cls}, from the pseudo-code of Author YEAR: its naive twin."""

import numpy as np


def run(value_and_grad, x0, steps, *, learning_rate, beta):
    """Entry by entry, as the paper writes it."""
    xs, m = [x0], np.zeros_like(x0)
    for _ in range(steps):
        x = xs[-1].copy()
        _, g = value_and_grad(x)
        for i in range(len(x)):
            m[i] = beta * m[i] + (1 - beta) * g[i]
            x[i] = x[i] - learning_rate * m[i]
        xs.append(x)
    return xs
'''
"""A method's twin in plain NumPy."""

ROW = """    Method(
        name="{name}",
        make={cls},
        label="{cls}",
        family="{heading}",
        example=lambda problem: {cls}(1.0 if problem == "quadratic" else 0.1),
        solves=("quadratic",),
        # Where the number comes from: the proof's constants for L = 1 and mu = 1/100, or "Measured."
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="n",
        work=Work(flops=lambda n, m: 5 * n),
        storage=Storage(lambda n, m: n),
        reference="Author YEAR, arXiv:0000.00000",
        year=2000,
        space={{"learning_rate": LogUniform(1e-4, 10.0), "beta": NearOne(0.5, 0.999)}},
        namesake="nobody",
        cases={{"numbers": ("rosenbrock", lambda: {cls}(1e-3, 0.8))}},
    ),
"""
"""A method's row in the registry."""
