"""The root of a mean square by which a rule divides, and where its epsilon stands."""

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import check_choice, check_positive

EPS_PLACES = ("inside", "outside")


def root_mean_square_divisor(v: jax.Array, eps: Any, place: str) -> jax.Array:
    r"""\(\sqrt{v + \varepsilon}\) or \(\sqrt v + \varepsilon\)."""
    return jnp.sqrt(v + eps) if place == "inside" else jnp.sqrt(v) + eps


def check_eps(owner: Any) -> None:
    """The fields `eps` and `eps_place`. An entry whose gradients are all zero is divided by what `eps` leaves."""
    check_positive(owner, "eps")
    check_choice(owner, "eps_place", EPS_PLACES)
