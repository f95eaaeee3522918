"""A test problem with what is known about it."""

from typing import Any, NamedTuple

from thalweg.core.problem import Problem


class Critical(NamedTuple):
    """A critical point: a point where the gradient vanishes.

    - `x`: the point. `kind`: "minimum", "maximum", "saddle", or with "degenerate" in front.
    - `index`: the number of negative eigenvalues of the Hessian there.
    """

    x: tuple[float, ...]
    kind: str
    index: int


class Known(NamedTuple):
    """A test problem with its standard start, and what is known about it.

    - `problem`, `x0`: the problem and its standard start.
    - `minimum`: the lowest value, -inf if the problem is unbounded below.
    - `argmin`: a point with that value, None if only the value is known.
    - `smoothness`, `convexity`: the constants L and mu of the smooth part, NaN if there is none or it is not known.
    - `method`: a method that fits, if the structure of the problem does not suggest one.
    - `critical`: the known critical points.
    """

    problem: Problem
    x0: Any
    minimum: float
    argmin: Any = None
    smoothness: float = float("nan")
    convexity: float = float("nan")
    method: Any = None
    critical: tuple[Critical, ...] = ()
