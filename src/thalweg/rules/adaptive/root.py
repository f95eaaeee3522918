"""The divisor of a rule that normalizes by a mean square, with epsilon inside or outside the root."""

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_choice, check_positive

_EPS_PLACES = ("inside", "outside")


def root_mean_square_divisor(v: jax.Array, eps: Any, place: str) -> jax.Array:
    r"""Returns \(\sqrt{v + \varepsilon}\) for "inside" and \(\sqrt v + \varepsilon\) for "outside"."""
    return jnp.sqrt(v + eps) if place == "inside" else jnp.sqrt(v) + eps


def check_eps(owner: Any) -> None:
    """Checks `eps` and `eps_place`. `eps` is positive because it alone divides entries whose gradients are all zero."""
    check_positive(owner, "eps")
    check_choice(owner, "eps_place", _EPS_PLACES)
