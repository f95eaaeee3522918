"""A step of a fixed size."""

import jax.numpy as jnp

from thalweg.core.fields import check_positive, real_field
from thalweg.core.types import Evaluation, Scalar, State
from thalweg.line_search.protocol import Found, LineSearch, Ray


class FixedStep(LineSearch):
    r"""\(t = s\), whatever the value does.

    - `step_size`: \(s\) > 0.

    **Guarantee** Along the negative gradient of an \(L\)-smooth function the value falls at every step if \(s < 2/L\);
    at \(s = 2/L\) a quadratic oscillates forever. Where the function is not defined at the end the search fails.
    **References** Nesterov 2018, doi:10.1007/978-3-319-91578-4, section 1.2.3.
    """

    step_size: float = real_field()

    def __check_init__(self):
        check_positive(self, "step_size")

    def init(self, seen: Evaluation) -> State:
        """The search keeps no memory."""
        return ()

    def __call__(self, ray: Ray, memory: State) -> Found:
        """One evaluation, at the end of the step."""
        return taken(ray, jnp.asarray(self.step_size))


def taken(ray: Ray, step: Scalar, memory: State = ()) -> Found:
    """A step that is taken unless the function is not defined at its end."""
    step = jnp.minimum(step.astype(ray.initial_step.dtype), ray.max_step)
    phi = ray.at(step)
    unbounded = phi.value == -jnp.inf
    return Found(step, phi, jnp.isfinite(phi.value) | unbounded, unbounded, jnp.asarray(1, jnp.int32), memory=memory)
