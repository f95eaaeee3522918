"""Steepest descent."""

from typing import ClassVar, Literal

from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.tree import scaled
from thalweg.core.types import Evaluation, Key, Params, State
from thalweg.line_search.backtracking import Backtracking
from thalweg.line_search.barzilai_borwein import BarzilaiBorwein
from thalweg.line_search.polyak import PolyakStep
from thalweg.line_search.protocol import LineSearch
from thalweg.solvers.descent.descent import Descent
from thalweg.solvers.descent.direction import Direction, Heading, Taken


class Steepest(Direction):
    r"""\(d = -\nabla f(x)\)."""

    needs: ClassVar[frozenset[Oracle]] = frozenset()
    takes: ClassVar[frozenset[Oracle]] = frozenset()

    def init(self, x: Params) -> State:
        """The direction keeps no memory."""
        return ()

    def __call__(self, problem: Problem, here: Evaluation, state: State, key: Key) -> Heading:
        """The negative gradient."""
        return Heading(scaled(-1.0, here.grad), plain=True)

    def update(self, state: State, taken: Taken) -> State:
        """A step teaches the direction nothing."""
        return state


def SteepestDescent(search: LineSearch = Backtracking()) -> Descent:
    r"""Gradient descent with a line search: \(x_{t+1} = x_t - s_t\nabla f(x_t)\).

    - `search`: default `tw.line_search.Backtracking()`, from \(s = 1\). Others remember a scale:
      `tw.line_search.InverseLipschitz()`, `tw.line_search.BarzilaiBorwein()`.

    **Needs** a gradient and the same function at every step.
    **Guarantee** Linear on \(L\)-smooth \(\mu\)-strongly convex functions: the value's distance from its minimum falls
    by \(1 - \min\{2\mu\alpha, 2\alpha\beta\mu/L\}\) a step at least; on a quadratic with \(L \le 1\), where the first
    trial always passes, by \((1-\mu)^2\), and with exact search by \(((\kappa-1)/(\kappa+1))^2\).
    **References** Cauchy 1847; Boyd & Vandenberghe 2004, section 9.3.
    """
    return Descent(Steepest(), search)


def BarzilaiBorweinDescent(
    formula: Literal["long", "short", "alternate"] = "alternate", memory: int = 10, step_size: float = 1.0
) -> Descent:
    r"""Gradient descent with the step size of Barzilai and Borwein, which is the inverse curvature of the last step.

    \(x_{t+1} = x_t - s_t\nabla f(x_t)\) with
    \(s_t = \langle\Delta x, \Delta x\rangle/\langle\Delta x, \Delta g\rangle\), shortened until the value is below the
    largest of the last `memory` ones.

    - `formula`, `memory`, `step_size`: as in `tw.line_search.BarzilaiBorwein`.

    **Needs** a gradient and the same function at every step; about one evaluation a step.
    **Guarantee** Limit points are stationary; on strongly convex functions linear in the sense of roots.
    **References** Barzilai & Borwein 1988, doi:10.1093/imanum/8.1.141; Raydan 1997, doi:10.1137/S1052623494266365.
    """
    return SteepestDescent(BarzilaiBorwein(formula, memory, step_size))


def PolyakDescent(minimum: float | None = None, scale: float = 1.0) -> Descent:
    r"""Gradient descent with Polyak's step: \(x_{t+1} = x_t - \gamma\,\frac{f(x_t) - p^*}{\|g_t\|^2}\,g_t\).

    - `minimum`: \(p^*\), the minimum, or the maximum of a problem with `maximize=True`; None: estimated (see
      `tw.line_search.PolyakStep`). `scale`: \(\gamma\) in (0, 2).

    **Needs** a gradient and the same function at every step; one evaluation a step.
    **Guarantee** With the true \(p^*\) the distance from every minimizer of a convex function falls at every step,
    on \(L\)-smooth \(\mu\)-strongly convex functions by \(\sqrt{1-\gamma(2-\gamma)\mu/(4L)}\) or better.
    **References** Polyak 1969, doi:10.1016/0041-5553(69)90061-5; Hazan & Kakade 2019, arXiv:1905.00313.
    """
    return SteepestDescent(PolyakStep(minimum, scale))
