"""The style of every figure, and lines that cope with NaN, single points and millions of points."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The colors of Okabe and Ito, which every kind of color vision can distinguish (https://jfly.uni-koeln.de/color)."""

GRAY = "#666666"

MAX_DRAWN_POINTS = 2000
"""The number of points beyond which a line is thinned out."""

_MAX_MARKED_POINTS = 40
"""The largest number of points for which each point of a line is marked."""

_LARGEST_DRAWN, _SMALLEST_DRAWN = 1e150, 1e-150
"""Magnitudes beyond which an axis with its margins would overflow; they are drawn as infinity and as 0."""

_LOG_AXIS_RATIO = 10.0
"""The ratio of the largest to the smallest positive number from which a logarithmic axis is used."""


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> "tuple[Figure, list[Axes]]":
    """Returns a pyplot figure of a size in inches, and its axes row by row."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('tw.plot needs matplotlib: pip install "thalweg[plot]".') from error
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
    return figure, list(axes.flat)


def new_axes(axes: "Axes | None", width: float = 5.0) -> "Axes":
    """Returns `axes`, or for None those of a new figure, `width` inches wide."""
    return new_figure(width, 3.6)[1][0] if axes is None else axes


def style_axes(axes: "Axes", x: str, y: str) -> "Axes":
    """Labels both axes, removes the frame and adds a light grid."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def draw_line(axes: "Axes", x: Any, y: Any, *, color: str, label: str = "") -> None:
    """Draws `y` over `x` on a suitable scale, and annotates the last number and the first that is not finite."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    finite = np.abs(y) < _LARGEST_DRAWN  # and not NaN
    y = np.where(np.abs(y) < _SMALLEST_DRAWN, 0, y)
    if not finite.any():
        axes.text(0.5, 0.5, "no finite number", transform=axes.transAxes, ha="center", va="center", color=GRAY)
        return
    beside = {"textcoords": "offset points", "xytext": (5, 0), "fontsize": 8, "va": "center"}
    if _wants_log_axis(y[finite]):
        axes.set_yscale("log", nonpositive="mask")
    marker = "o" if finite.sum() <= _MAX_MARKED_POINTS else None
    axes.plot(*thin_out(x, np.where(finite, y, np.nan)), color=color, label=label, marker=marker, markersize=3)
    last = np.flatnonzero(finite)[-1]
    axes.plot(x[last], y[last], marker="o", markersize=4, color=color)
    axes.annotate(f"{y[last]:.3g}", (x[last], y[last]), color=color, **beside)
    if axes.get_yscale() == "log" and y[finite][-1] == 0:  # a logarithmic axis has no zero
        since = x[np.flatnonzero(finite & (y != 0))[-1] + 1]
        axes.axvline(since, color=GRAY, linestyle=":", linewidth=1)
        place = {"xycoords": ("data", "axes fraction"), "color": GRAY}
        axes.annotate(f"0 from {since:g} on", (since, 0.95), **place, **beside)
    if not finite.all():
        first = np.argmin(finite)
        axes.axvline(x[first], color=GRAY, linestyle=":", linewidth=1)
        axes.annotate(
            f"{y[first]} at {x[first]:g}", (x[first], 0.05), xycoords=("data", "axes fraction"), color=GRAY, **beside
        )


def _wants_log_axis(y: np.ndarray) -> bool:
    """Whether the numbers are nonnegative and span a decade; zeros are then omitted from the line."""
    positive = y[y > 0]
    return bool((y >= 0).all() and len(positive) > 1 and positive.max() >= _LOG_AXIS_RATIO * positive.min())


def thin_out(x: np.ndarray, y: np.ndarray, points: int = MAX_DRAWN_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Returns about `points` points with the same outline: the minimum and maximum of every interval, and both ends."""
    if len(x) <= points:
        return x, y
    width = -(-2 * len(x) // points)
    count = -(-len(x) // width)
    blocks = np.concatenate([y, np.full(count * width - len(y), np.nan)]).reshape(count, width)
    start = np.arange(count) * width
    low = start + np.argmin(np.where(np.isnan(blocks), np.inf, blocks), axis=1)
    high = start + np.argmax(np.where(np.isnan(blocks), -np.inf, blocks), axis=1)
    keep = np.unique(np.concatenate([[0], low, high, [len(x) - 1]]))
    return x[keep], y[keep]
