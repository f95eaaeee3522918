"""A figure of the learning-rate range test."""

from typing import TYPE_CHECKING

import numpy as np

from thalweg.landscape.learning_rate_range import LearningRateRange
from thalweg.plot.history import axis_label
from thalweg.plot.style import COLORS, GRAY, new_axes, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_VERTICAL_MARGIN = 0.25
"""The margin above and below the smoothed curve, as a fraction of its height; losses that explode may lie outside."""


def range_test(result: LearningRateRange, axes: "Axes | None" = None, *, unit: str = "") -> "Axes":
    """Draws the losses of a range test and their smoothed curve over the learning rate, with the suggestion.

    - `result`: what `tw.landscape.learning_rate_range` returned. `axes`: the axes to draw on; None for new ones.
    - `unit`: the unit of the loss.
    """
    axes = new_axes(axes)
    finite = np.isfinite(result.losses)
    axes.plot(result.rates[finite], result.losses[finite], ".", color=GRAY, markersize=3, alpha=0.6, label="loss")
    axes.plot(result.rates, result.smoothed, color=COLORS[0], label="smoothed")
    axes.set_xscale("log")
    if np.isfinite(result.smoothed).any():
        low, high = np.nanmin(result.smoothed), np.nanmax(result.smoothed)
        room = _VERTICAL_MARGIN * max(high - low, 1e-12 * max(abs(high), 1e-300))
        axes.set_ylim(low - room, high + room)
    if np.isfinite(result.suggestion):
        at = int(np.argmin(np.abs(np.log(result.rates / result.suggestion))))
        axes.axvspan(*result.interval, color=COLORS[2], alpha=0.12, label="interval")
        axes.axvline(result.suggestion, color=COLORS[1], linestyle="--", linewidth=1)
        text = f"suggestion {result.suggestion:.2g}"
        axes.plot(result.suggestion, result.smoothed[at], "o", color=COLORS[1], label=text)
    axes.legend(fontsize=8, loc="lower left")
    return style_axes(axes, "learning rate", axis_label("loss", unit))
