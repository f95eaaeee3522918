"""The step 1/L with an estimate of L that follows the function."""

import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, replace, static_field
from thalweg.core.types import Evaluation, State
from thalweg.line_search.backtracking import Backtracking, BacktrackingProgress
from thalweg.line_search.protocol import Found, LineSearch, Ray, Resumable, searched

_QUADRATIC_BOUND = 0.5
"""The fall by which a step of 1/L lowers the quadratic upper bound, as a fraction of what the slope promises."""


class InverseLipschitz(LineSearch, Resumable):
    r"""\(t = 1/L\), where \(L\) is the smallest of its sequence that keeps the quadratic upper bound at the step's end.

    Along \(d = -\nabla f(x)\) the bound
    \(f(x + td) \le f(x) + t\langle\nabla f(x), d\rangle + \tfrac L2 t^2\|d\|^2\) reads at \(t = 1/L\)
    \[ \varphi(t) \le \varphi(0) + \tfrac12\,t\,\varphi'(0): \]
    Armijo's condition with the constant 1/2. \(L\) begins at `shrink` times the last one and grows by `growth` until
    this holds. `1 / trace.step_size` is the estimate. The very first trial is the direction's.

    - `shrink`: in (0, 1], how much lower than the last \(L\) a step begins; 1 never lowers it.
    - `growth`: > 1, by which a refuted \(L\) is multiplied. `max_trials`: >= 1.

    **Guarantee** Where the gradient is \(L\)-Lipschitz and the first estimate is not above it the estimates stay
    below `growth` \(L\), so that gradient descent keeps its rate for \(1/L\) up to that factor; on average
    \(1 - \ln(\)`shrink`\()/\ln(\)`growth`\()\) evaluations a step, 1.15 at the default.
    **References** Nesterov 2013, doi:10.1007/s10107-012-0629-5, section 3; Beck & Teboulle 2009, doi:10.1137/080716542.
    """

    shrink: float = real_field(0.9)
    growth: float = real_field(2.0)
    max_trials: int = static_field(60)

    def __check_init__(self):
        check_real(self, "shrink", 0.0, 1.0, "in (0, 1]", open_low=True)
        check_real(self, "growth", 1.0, jnp.inf, "a finite number > 1", open_low=True, open_high=True)
        check_count(self, "max_trials")

    def init(self, seen: Evaluation) -> State:
        """The memory is the last step; 0 where there was none."""
        return jnp.zeros_like(seen.value)

    def __call__(self, ray: Ray, memory: State) -> Found:
        """The whole search, trial after trial."""
        return searched(self, ray, memory)

    def open(self, ray: Ray, memory: State) -> BacktrackingProgress:
        """The first trial is a little longer than the last step."""
        first = jnp.where(memory > 0, memory / self.shrink, ray.initial_step).astype(ray.initial_step.dtype)
        return self.backtracking().open(ray._replace(initial_step=first), ())

    def turn(self, ray: Ray, memory: State, progress: BacktrackingProgress) -> BacktrackingProgress:
        """One trial of Armijo's search with the constant 1/2."""
        return self.backtracking().turn(ray, (), progress)

    def close(self, ray: Ray, memory: State, progress: BacktrackingProgress) -> Found:
        """The accepted step, which the next search remembers."""
        found = self.backtracking().close(ray, (), progress)
        return found._replace(memory=found.step.astype(memory.dtype))

    def backtracking(self) -> Backtracking:
        """Armijo's search with the constant 1/2."""
        return replace(Backtracking(), slope=_QUADRATIC_BOUND, decrease=1 / self.growth, max_trials=self.max_trials)
