"""Steepest descent."""

from thalweg.core.problem import Problem
from thalweg.core.tree import scaled
from thalweg.core.types import Params, State
from thalweg.line_search.backtracking import Backtracking
from thalweg.line_search.protocol import LineSearch
from thalweg.solvers.descent.descent import Descent, Direction


class Steepest(Direction):
    r"""\(d = -\nabla f(x)\)."""

    def init(self, x: Params) -> State:
        """No memory."""
        return ()

    def __call__(self, problem: Problem, x: Params, grad: Params, state: State) -> Params:
        """The negative gradient."""
        return scaled(-1.0, grad)

    def update(self, state: State, dx: Params, dgrad: Params) -> State:
        """Nothing to learn."""
        return state


def SteepestDescent(search: LineSearch = Backtracking()) -> Descent:
    r"""Gradient descent with a line search: \(x_{t+1} = x_t - s_t\nabla f(x_t)\).

    - `search`: default `tw.Backtracking()`, from \(s = 1\).

    **Needs** a gradient and the same function at every step.
    **Guarantee** Linear on \(L\)-smooth \(\mu\)-strongly convex functions: the value's distance from its minimum falls
    by \(1 - \min\{2\mu\alpha, 2\alpha\beta\mu/L\}\) a step at least; on a quadratic with \(L \le 1\), where the first
    trial always passes, by \((1-\mu)^2\), and with exact search by \(((\kappa-1)/(\kappa+1))^2\).
    **References** Cauchy 1847; Boyd & Vandenberghe 2004, section 9.3.
    """
    return Descent(Steepest(), search)
