"""Backtracking until the value has fallen enough."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_count, check_real, real_field, static_field
from thalweg.core.types import Scalar
from thalweg.line_search.protocol import Found, LineSearch, Phi, decreased


class Backtracking(LineSearch):
    r"""The first of ever shorter steps that lowers the value enough (Armijo).

    The steps are \(t = t_0, \beta t_0, \beta^2 t_0, \dots\), the demand is
    \(\varphi(t) \le \varphi(0) + \alpha\,t\,\varphi'(0)\).

    - `slope`: \(\alpha\), the demanded fraction of the decrease that the slope promises, in (0, 1/2).
    - `decrease`: \(\beta\) in (0, 1). `max_trials`: >= 1; at the default the step has shrunk by 1e-18.

    **Guarantee** Ends for every descent direction of a differentiable function.
    **References** Armijo 1966, doi:10.2140/pjm.1966.16.1; Boyd & Vandenberghe 2004, section 9.2.
    """

    slope: float = real_field(1e-4)
    decrease: float = real_field(0.5)
    max_trials: int = static_field(60)

    def __check_init__(self):
        check_real(self, "slope", 0.0, 0.5, "in (0, 1/2)", open_low=True, open_high=True)
        check_real(self, "decrease", 0.0, 1.0, "in (0, 1)", open_low=True, open_high=True)
        check_count(self, "max_trials")

    def __call__(self, phi: Callable[[Scalar], Phi], phi0: Phi, step0: Scalar) -> Found:
        """See the class."""

        def accepts(found):
            return decreased(phi0, found.phi, found.step, self.slope)

        def again(found):
            going = (found.count == 0) | (~accepts(found) & (found.count < self.max_trials))
            return going & jnp.isfinite(phi0.value)

        def body(found):
            step = jnp.where(found.count == 0, 1.0, self.decrease) * found.step
            return found._replace(step=step, phi=phi(step), count=found.count + 1)

        nowhere = jnp.asarray(False)
        found = jax.lax.while_loop(again, body, Found(step0, phi0, nowhere, nowhere, jnp.asarray(0, jnp.int32)))
        return found._replace(ok=accepts(found))
