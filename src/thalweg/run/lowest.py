"""The best point of a run, from its trace: the loop itself need not remember it."""

from typing import NamedTuple

import numpy as np

from thalweg.core.trace import Trace
from thalweg.run.chunks import Segment

FEASIBLE = 1e-6
"""A point counts as feasible, in the comparison for the best, up to this violation."""


class Lowest(NamedTuple):
    """The lowest point so far: its rank, its step, and the segment that leads to it."""

    rank: tuple[bool, float]
    step: int
    segment: Segment


def lowest(trace: Trace) -> int | None:
    """The row of the lowest finite value, of a feasible point where there is one; None without a finite value."""
    measured = np.isfinite(trace.value)
    feasible = measured & (trace.infeasibility <= FEASIBLE)
    candidates = feasible if feasible.any() else measured
    return int(np.argmin(np.where(candidates, trace.value, np.inf))) if candidates.any() else None


def rank(trace: Trace, row: int) -> tuple[bool, float]:
    """Orders rows: feasible before infeasible, then by value."""
    return bool(trace.infeasibility[row] > FEASIBLE), float(trace.value[row])
