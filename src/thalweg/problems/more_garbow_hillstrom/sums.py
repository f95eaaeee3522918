"""A sum of squares with what is known of it, as a function and as a least-squares problem."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from thalweg.core.objective import LeastSquares
from thalweg.core.problem import Problem


class SumOfSquares(NamedTuple):
    r"""One definition in two views: \(f(x) = \|r(x)\|^2\) as the paper writes it, and \(\tfrac12\|r(x)\|^2\).

    - `problem`: the function \(f\); `minimum` and `local` are values of this one.
    - `fit`: the same residuals as `LeastSquares`, whose value is half of \(f\).
    - `x0`: the standard start. `argmin`: a point with the value `minimum`, None where none is known in closed form.
    - `local`: values of the other local minima that are known, those at infinity included: a descent method is right
      to end at any of them.
    """

    problem: Problem
    fit: Problem
    x0: Any
    minimum: float
    argmin: Any = None
    local: tuple[float, ...] = ()


def from_residuals(residuals: Callable, x0: Any, minimum: float, argmin: Any = None, local: Any = ()) -> SumOfSquares:
    """Both views of `residuals`."""

    def squares(x):
        return jnp.sum(residuals(x) ** 2)

    squares.__name__ = residuals.__name__
    best = None if argmin is None else np.asarray(argmin, float)
    start = np.asarray(x0, float)
    return SumOfSquares(
        Problem(squares), Problem(LeastSquares(residuals=residuals)), start, minimum, best, tuple(local)
    )
