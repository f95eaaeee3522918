"""Many functions as one: which of them is a number, so one program serves all tests of a method."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np


class Chosen(eqx.Module):
    """`functions[which](x, number)`; all of them take variables of one shape and return the same kind of array."""

    functions: tuple[Callable, ...] = eqx.field(static=True)
    which: np.ndarray
    number: np.ndarray

    def __call__(self, x: Any) -> Any:
        """The chosen one alone is computed."""
        return jax.lax.switch(self.which, self.functions, x, self.number)


def chosen(functions: tuple[Callable, ...], function: Callable, number: float = 1.0) -> Chosen:
    """One of the functions, with the number that it takes: a scale, an offset, a wall."""
    dtype = np.float64 if jax.config.jax_enable_x64 else np.float32
    return Chosen(functions, np.asarray(functions.index(function), np.int32), np.asarray(number, dtype))
