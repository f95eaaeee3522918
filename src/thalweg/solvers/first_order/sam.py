"""Sharpness-aware minimization, in a ball and in units of the parameters."""

from typing import Any

import jax.numpy as jnp

from thalweg.core.fields import check_nonnegative, fail, real_field, replace
from thalweg.core.first_order import solver_field
from thalweg.core.objective import Objective, Residual
from thalweg.core.optimality import residual
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.solver import Solver
from thalweg.core.tree import axpy, combine, norm
from thalweg.core.types import Evals, Evaluation, Key, Params, Scalar, State, Step, is_number


class Sharp(Objective):
    r"""An objective whose gradient is taken at the worst point nearby.

    \(x + \rho\,T^2\nabla f(x)/\|T\nabla f(x)\|\), to first order the maximum of \(f\) where
    \(\|T^{-1}\varepsilon\| \le \rho\), with \(T = 1\), or \(T = |x| + c\) where there is an `offset` \(c\). Value,
    model state and metrics are those at \(x\); `aux` holds the gradient there beside the metrics.
    """

    smooth: Objective
    rho: Any
    offset: Any = None
    data: Any = None
    frozen: Any = None
    key: Any = None
    model_state: Any = None

    @property
    def offers(self) -> frozenset[Oracle]:
        """What the smooth part offers."""
        return self.smooth.offers

    def revisit(self, seen: Evaluation) -> tuple[Evaluation, int]:
        """The evaluation is made again: two gradients."""
        return self.evaluate(seen.x), 1

    def start(self, key: Key) -> Params:
        """The smooth part's own start, where it has one."""
        return self.smooth.start(key)

    def optimality(self, x: Params, residual: Residual) -> Scalar:
        """How far `x` is from optimal for the smooth part itself."""
        return self.smooth.optimality(x, residual)

    def value(self, x: Params) -> Scalar:
        """The value at `x`."""
        return self.smooth.value(x)

    def evaluate(self, x: Params) -> Evaluation:
        """Two gradients: at `x`, and at the worst point."""
        here = self.smooth.evaluate(x)
        pull = self.in_units(here.grad, x)
        length = norm(pull)
        scale = jnp.where(length > 0, self.rho / jnp.where(length > 0, length, 1), 0)
        worst = self.smooth.evaluate(axpy(scale, self.in_units(pull, x), x))
        return here._replace(grad=worst.grad, aux=(here.aux, here.grad))

    def in_units(self, tree: Params, x: Params) -> Params:
        """A tree of the shape of `x`, multiplied by `T`."""
        if self.offset is None:
            return tree
        return combine(lambda leaf, p, offset: (jnp.abs(p) + offset) * leaf, (tree, x), self.offset)


def sharpened(objective: Objective, rho: Any, offset: Any = None) -> Sharp:
    """The objective with its gradients taken at the worst point within `rho`."""
    return Sharp(smooth=objective, rho=rho, offset=offset, data=objective.data)


class SAM(Solver):
    r"""Sharpness-aware minimization: a method that sees the gradient at the worst point within `rho`.

    \[ \varepsilon_t = \rho\,\frac{\nabla f(x_t)}{\|\nabla f(x_t)\|}, \qquad
       x_{t+1} = x_t + \mathrm{rule}\bigl(\nabla f(x_t + \varepsilon_t)\bigr). \]

    It seeks \(\min_x \max_{\|\varepsilon\| \le \rho} f(x + \varepsilon)\). Both gradients see the same batch and the
    same dropout mask; running statistics come from the first, at \(x_t\). Value and optimality are those at \(x_t\).

    - `inner`: a rule, or a method with one gradient a step: `tw.SAM(tw.Nesterov(tw.Momentum(0.1)))`.
    - `rho`: the radius \(\rho\) >= 0, in the unit of `x` (Euclidean norm over all leaves).
    - `offset`: None; or \(c\) >= 0: every entry is measured in units of \(T = |x| + c\), as `tw.ASAM` says.

    **Needs** a gradient; two a step. **Takes** what the inner method takes.
    **Guarantee** With a constant radius it ends near a minimum, not at it: around a minimum of curvature \(\lambda\)
    with `SGD(eta)` it oscillates by \(\eta\lambda\rho/(2 - \eta\lambda)\).
    **References** Foret, Kleiner, Mobahi & Neyshabur 2021, arXiv:2010.01412; Bartlett, Long & Bousquet 2023,
    arXiv:2210.01513 (the oscillation).
    """

    inner: Any = solver_field()
    rho: float = real_field(0.05)
    offset: float | None = real_field(None)

    def __check_init__(self):
        check_nonnegative(self, "rho", *(["offset"] if self.offset is not None else []))
        if not isinstance(self.inner, Solver) or Oracle.WHOLE in self.inner.needs:
            fail(self, "inner", self.inner, "a rule, or a method with one gradient a step such as tw.Nesterov(rule)")

    @property
    def needs(self) -> frozenset[Oracle]:
        """What the inner method needs."""
        return self.inner.needs

    @property
    def takes(self) -> frozenset[Oracle]:
        """What the inner method takes."""
        return self.inner.takes

    @property
    def proxy(self) -> bool:
        """Whether the inner method looks elsewhere than at `x_t`."""
        return self.inner.proxy

    def init(self, problem: Problem, x: Params) -> State:
        """The inner method's state."""
        return self.inner.init(problem, x)

    def step(self, problem: Problem, state: State, key: Key) -> Step:
        """The inner method's step on the sharp objective; what it reports is put back to the objective itself."""
        state, info, seen = self.inner.step(self.sharp(problem), state, key)
        assert seen is not None
        aux, grad = seen.aux
        seen = seen._replace(aux=aux, grad=grad)
        optimality = info.optimality if is_number(info.optimality) else residual(problem, seen.x, grad)
        twice = Evals(*(2 * count for count in info.evals))
        return Step(state, info._replace(optimality=optimality, evals=twice, aux=aux), seen)

    def rebase(self, problem: Problem, state: State) -> State:
        """The inner method's own way to another function, made sharp as well."""
        return self.inner.rebase(self.sharp(problem), state)

    def sharp(self, problem: Problem) -> Problem:
        """The problem that the inner method sees."""
        return replace(problem, objective=sharpened(problem.objective, self.rho, self.offset))


def ASAM(inner: Any, rho: float = 0.5, offset: float = 0.01) -> SAM:
    r"""Adaptive sharpness-aware minimization: SAM whose ball does not change when a layer's scale is moved to the next.

    \[ T_t = |x_t| + c, \qquad \varepsilon_t = \rho\,\frac{T_t^2\,\nabla f(x_t)}{\|T_t\,\nabla f(x_t)\|}, \qquad
       x_{t+1} = x_t + \mathrm{rule}\bigl(\nabla f(x_t + \varepsilon_t)\bigr). \]

    It seeks \(\min_x \max_{\|T^{-1}\varepsilon\| \le \rho} f(x + \varepsilon)\), entry by entry.

    - `inner`: as for `SAM`. `rho`: the radius \(\rho\) >= 0, a fraction of the parameters.
    - `offset`: \(c\) >= 0, by which entries at zero can move too. With 0 a scaling of the parameters that leaves the
      loss as it is leaves the path's values as they are, to first order.

    The paper's code has \(T = 1\) for biases; here all leaves are alike.

    **Needs** a gradient; two a step. **Takes** what the inner method takes.
    **Guarantee** With a constant radius it ends near a minimum, not at it: around a minimum \(x^*\) of curvature
    \(\lambda\) in one variable with `SGD(eta)` it oscillates by about
    \(\eta\lambda\rho(|x^*| + c)/(2 - \eta\lambda)\).
    **References** Kwon, Kim, Park & Choi 2021, arXiv:2102.11600.
    """
    return SAM(inner, rho, offset)
