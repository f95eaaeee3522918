"""A sum of squares as a function and as a least-squares problem, with its known minima."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from thalweg.core.objective import LeastSquares
from thalweg.core.problem import Problem


class SumOfSquares(NamedTuple):
    r"""A sum of squares in two forms: \(f(x) = \|r(x)\|^2\), as in the paper, and \(\tfrac12\|r(x)\|^2\).

    - `problem`: the function \(f\). `minimum` and `local` are values of this form.
    - `fit`: the same residuals as `tw.LeastSquares`, whose value is half of \(f\).
    - `x0`: the standard start. `minimum`: the lowest value, NaN if it is not known.
    - `argmin`: a point with the value `minimum`, None if none is known in closed form.
    - `local`: the values of other known local minima, including those at infinity; a descent method may end at any of
      them.
    """

    problem: Problem
    fit: Problem
    x0: Any
    minimum: float
    argmin: Any = None
    local: tuple[float, ...] = ()


def from_residuals(residuals: Callable, x0: Any, minimum: float, argmin: Any = None, local: Any = ()) -> SumOfSquares:
    """Makes both forms of a test problem from its residuals."""

    def squares(x):
        return jnp.sum(residuals(x) ** 2)

    squares.__name__ = residuals.__name__
    best = None if argmin is None else np.asarray(argmin, float)
    start = np.asarray(x0, float)
    return SumOfSquares(
        Problem(squares), Problem(LeastSquares(residuals=residuals)), start, minimum, best, tuple(local)
    )
