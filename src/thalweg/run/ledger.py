"""The best point of a run, from its trace: the loop itself need not remember it."""

from typing import NamedTuple

import numpy as np

from thalweg.run.engine import Segment
from thalweg.run.result import Point

FEASIBLE = 1e-6
"""A point counts as feasible, in the comparison for the best, up to this violation; in float32 up to sqrt(eps)."""


class Lowest(NamedTuple):
    """The lowest point so far: its rank, its step, and the segment that leads to it, or the point itself."""

    rank: tuple[float, float]
    step: int
    segment: Segment | Point


def lowest(value: np.ndarray, infeasibility: np.ndarray | float) -> int | None:
    """The row of lowest rank: a feasible point's where there is one; None without a finite value.

    The last of equals: at the end of a run its point is at hand, an earlier one would have to be computed again.
    """
    if not isinstance(infeasibility, np.ndarray) and infeasibility == 0:
        if not len(value):
            return None
        row = len(value) - 1 - int(np.argmin(np.where(np.isfinite(value), value, np.inf)[::-1]))
        return row if np.isfinite(value[row]) else None
    violation = np.broadcast_to(infeasibility, value.shape)
    rows = np.flatnonzero(np.isfinite(value) & ~np.isnan(violation))
    if not len(rows):
        return None
    excess = np.where(violation > allowed(value), violation, 0.0)
    return int(rows[np.lexsort((-rows, value[rows], excess[rows]))[0]])


def rank(value: float, violation: float, most: float) -> tuple[float, float]:
    """Orders points: by their violation where they are infeasible, beyond `most`, then by value."""
    return violation if violation > most else 0.0, value


def allowed(value: np.ndarray) -> float:
    """The violation up to which a point counts as feasible."""
    return max(FEASIBLE, float(np.finfo(value.dtype).eps) ** 0.5)
