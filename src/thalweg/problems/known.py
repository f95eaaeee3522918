"""What a problem of the zoo comes with."""

from typing import Any, NamedTuple

from thalweg.core.problem import Problem


class Critical(NamedTuple):
    """A point where the gradient vanishes: its kind in a word, and how many directions curve downwards there."""

    x: tuple[float, ...]
    kind: str
    index: int


class Known(NamedTuple):
    """A problem, a standard start, and what is known.

    `minimum` is the lowest value (-inf where there is none), `argmin` a point that reaches it (None where only the
    value is known), `smoothness` and `convexity` the constants L and mu of the smooth part (NaN where there is none or
    it is not known). `method`: one that fits, where the structure alone does not suggest it. `critical`: critical
    points that are known.
    """

    problem: Problem
    x0: Any
    minimum: float
    argmin: Any = None
    smoothness: float = float("nan")
    convexity: float = float("nan")
    method: Any = None
    critical: tuple[Critical, ...] = ()
