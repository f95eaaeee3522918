"""The best point of a run, from its trace: the loop itself need not remember it."""

from typing import NamedTuple

import numpy as np

from thalweg.core.trace import Trace
from thalweg.run.chunks import Segment

FEASIBLE = 1e-6
"""A point counts as feasible, in the comparison for the best, up to this violation; in float32 up to sqrt(eps)."""


class Lowest(NamedTuple):
    """The lowest point so far: its rank, its step, and the segment that leads to it."""

    rank: tuple[float, float]
    step: int
    segment: Segment


def lowest(trace: Trace) -> int | None:
    """The row of lowest rank: a feasible point's where there is one; None without a finite value."""
    rows = np.flatnonzero(np.isfinite(trace.value) & ~np.isnan(trace.infeasibility))
    if not len(rows):
        return None
    excess = np.where(trace.infeasibility > allowed(trace), trace.infeasibility, 0.0)
    return int(rows[np.lexsort((trace.value[rows], excess[rows]))[0]])


def rank(trace: Trace, row: int) -> tuple[float, float]:
    """Orders rows: by their violation where they are infeasible, then by value."""
    violation = float(trace.infeasibility[row])
    return violation if violation > allowed(trace) else 0.0, float(trace.value[row])


def allowed(trace: Trace) -> float:
    """The violation up to which a point counts as feasible."""
    return max(FEASIBLE, float(np.finfo(np.asarray(trace.value).dtype).eps) ** 0.5)
