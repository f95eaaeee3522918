"""The rates of a schedule, by one program for all schedules of one structure."""

from collections.abc import Callable

import jax
import numpy as np

from tests.helpers import X64, at_once

LENGTHS = (48, 1200, 6000)
"""As many steps are computed, so that few shapes are compiled."""


def rates(schedule: Callable, steps: int) -> np.ndarray:
    """The rate at 0, 1, ..., steps - 1."""
    length = next(length for length in LENGTHS if length >= steps)
    return np.asarray(at_once(mapped, schedule, np.arange(length)))[:steps]


def mapped(schedule: Callable, steps: np.ndarray) -> jax.Array:
    """The rates at these steps."""
    return jax.vmap(schedule)(steps)


def namesakes(schedule: Callable, steps: int) -> np.ndarray:
    """The same of a peer, with the promotion that it takes; compiled, its powers can be NaN in float32."""
    with jax.numpy_dtype_promotion("standard"):
        return rates(schedule, steps) if X64 else np.asarray(mapped(schedule, np.arange(steps)))
