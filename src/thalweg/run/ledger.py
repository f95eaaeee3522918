"""What the steps of a run reported: the rows of its trace, those that were made again, and the lowest point."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from thalweg.core.iterate import Carry
from thalweg.core.ranking import Rank, is_at_least_as_good, ranked
from thalweg.core.trace import Layout, Trace, column, no_rows, tail, unpack
from thalweg.core.types import Evals, Params
from thalweg.run.programs import Rows, Segment
from thalweg.run.result import Point


class _Lowest(NamedTuple):
    """The lowest point so far: its rank, its step, and the segment that leads to it, or the point itself."""

    rank: Rank
    step: int
    source: Segment | Point


class Ledger:
    """The rows of a run from step `first_step` on, in the values that are minimized.

    - `rows`: blocks of packed rows, one after the other; `layout` unpacks them.
    - `replayed`: rows of steps that were made again, or dropped; their evaluations count.
    - `lowest`: the lowest point of a run on whole data, None before there is one.
    """

    def __init__(self, first_step: int = 0):
        self.first_step = self.next_step = first_step
        self.rows, self.replayed = list[np.ndarray](), list[np.ndarray]()
        self.layout: Layout | None = None
        self.lowest: _Lowest | None = None
        self.last_point: Params = None

    @property
    def last(self) -> int:
        """The step of the last row."""
        return self.next_step - 1

    def add(
        self, rows: np.ndarray, layout: Layout, source: Segment | Point | None = None, point: Params = None
    ) -> None:
        """Adds the rows of steps just made.

        - `source`: on whole data, where the lowest point among them can be had: the segment of these steps, or the
          point itself. `point`: where the last of them was measured.
        """
        begin, self.next_step = self.next_step, self.next_step + len(rows)
        self.rows.append(rows)
        self.layout, self.last_point = layout, point
        if source is not None and (found := _lowest_row(rows, layout)) is not None:
            row, rank = found
            if self.lowest is None or is_at_least_as_good(rank, self.lowest.rank):
                self.lowest = _Lowest(rank, begin + row, source)

    def add_again(self, rows: np.ndarray) -> None:
        """Notes steps that were made a second time, or for nothing."""
        self.replayed.append(rows)

    def drop_from(self, step: int) -> None:
        """Counts the rows of the last block from `step` on as made for nothing."""
        kept = step - (self.next_step - len(self.rows[-1]))
        self.replayed.append(self.rows[-1][kept:])
        self.rows[-1], self.next_step = self.rows[-1][:kept], step

    def best(self, advance: Callable[[Segment, int], tuple[Carry, Rows]]) -> Point | None:
        """The lowest point, computed again by `advance` where it is not at hand; None where no value was finite."""
        if self.lowest is None:
            return None
        rank, step, source = self.lowest
        if isinstance(source, Segment):
            point = self.last_point
            if step != self.last or point is None:
                carry, rows = advance(source, step + 1 - source.step)
                self.add_again(rows.data[: step + 1 - source.step])
                point = carry.point
            source = Point(point, float(rank.value), step)
            self.lowest = _Lowest(rank, step, source)
        return source

    def trace(self, since: int | None = None, sign: int = 1) -> Trace:
        """The rows from step `since` on (all of them if None), by name; values times `sign`."""
        if not self.rows or self.layout is None:
            return no_rows()
        count = self.next_step - (self.first_step if since is None else since)
        trace = unpack(tail(self.rows, count), self.layout)
        return trace if sign > 0 else trace._replace(value=-trace.value)

    def evals(self) -> Evals:
        """Every evaluation made, those of steps made again included."""
        if self.layout is None:
            return Evals()
        parts = [unpack(rows, self.layout).evals for rows in (*self.rows, *self.replayed)]
        return Evals(*(int(sum(np.sum(n, dtype=np.int64) for n in counts)) for counts in zip(*parts, strict=True)))


def _lowest_row(rows: np.ndarray, layout: Layout) -> tuple[int, Rank] | None:
    """The row of lowest rank and that rank, the last of equals; None where no value is finite."""
    value, violation = column(rows, layout, "value"), column(rows, layout, "infeasibility")
    value = value if isinstance(value, np.ndarray) else np.full(len(rows), value, rows.dtype)
    if not isinstance(violation, np.ndarray) and violation == 0:  # nothing to violate: the lowest value will do
        row = len(value) - 1 - int(np.argmin(np.where(np.isfinite(value), value, np.inf)[::-1])) if len(value) else -1
        return (row, Rank(0.0, float(value[row]))) if row >= 0 and np.isfinite(value[row]) else None
    violation = np.broadcast_to(violation, value.shape)
    finite = np.flatnonzero(np.isfinite(value) & ~np.isnan(violation))
    if not len(finite):
        return None
    rank = ranked(value[finite], violation[finite])
    place = int(np.lexsort((-finite, rank.value, rank.excess))[0])
    return int(finite[place]), Rank(float(rank.excess[place]), float(rank.value[place]))
