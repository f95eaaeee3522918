"""Sparklines: curves in one line of text."""

import itertools
import math
import os
from collections.abc import Sequence
from typing import Any, TypeGuard

BLOCK_MARKS, ASCII_MARKS = "▁▂▃▄▅▆▇█", "_.-~=+*#"
"""Characters from the lowest to the highest value; the second row for terminals that lack the first."""

_TERMS_WITHOUT_BLOCKS = ("dumb", "linux")
"""Values of TERM for terminals that cannot show the block characters."""

_LOG_SCALE_RATIO = 10.0
"""The ratio of the largest to the smallest positive number from which a logarithmic scale is used."""


def marks_for(stream: Any) -> str:
    """Returns the characters that a stream can show."""
    if stream.isatty() and os.environ.get("TERM") in _TERMS_WITHOUT_BLOCKS:
        return ASCII_MARKS
    try:
        BLOCK_MARKS.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_MARKS
    return BLOCK_MARKS


def spans_decade(numbers: Sequence[float | None]) -> bool:
    """Whether all finite numbers are positive and span a decade."""
    found = [n for n in numbers if is_finite_number(n)]
    return bool(found) and min(found) > 0 and max(found) >= _LOG_SCALE_RATIO * min(found)


def sparkline(numbers: Sequence[float | None], width: int, marks: str) -> str:
    """Returns numbers as at most `width` characters, each for the mean of an interval; a blank for an empty one."""
    scale = math.log if spans_decade(numbers) else float
    heights = [scale(n) if is_finite_number(n) else None for n in numbers]
    width = min(width, len(heights))
    edges = [i * len(heights) // width for i in range(width + 1)] if width else []
    means = [_mean_of_known(heights[a:b]) for a, b in itertools.pairwise(edges)]
    found = [m for m in means if m is not None]
    if not found:
        return " " * width
    low, span = min(found) / 2, max(found) / 2 - min(found) / 2  # halves, which cannot overflow
    top = len(marks) - 1
    return "".join(" " if m is None else marks[round((m / 2 - low) / span * top) if span > 0 else 0] for m in means)


def _mean_of_known(heights: Sequence[float | None]) -> float | None:
    """Returns the mean of the numbers that are not None."""
    found = [height for height in heights if height is not None]
    return sum(height / len(found) for height in found) if found else None


def is_finite_number(number: float | None) -> TypeGuard[float]:
    """Whether there is a number that is neither NaN nor infinite."""
    return number is not None and math.isfinite(number)
