"""Curves of a run over its steps: value, infeasibility, optimality, validation and metrics."""

from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.plot.style import COLORS, draw_line, new_axes, new_figure, style_axes
from thalweg.run.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_SIZE = (3.6, 2.6)
"""The width and height of a panel in inches."""
_TITLE_HEIGHT = 0.3
"""The height of the title in inches."""


def history(
    result: Result, *, minimum: float | None = None, unit: str = "", figure: "Figure | None" = None
) -> "Figure":
    """Draws a run in one figure, with a panel for each of value, infeasibility, optimality, validation and metrics.

    - `result`: what `tw.minimize` returned. Quantities that it did not measure have no panel.
    - `minimum`: the minimum of the objective, if it is known; the first panel then shows the distance from it.
    - `unit`: the unit of the objective, for the labels.
    - `figure`: an empty figure to draw on, which is resized to fit the panels; None for a new pyplot figure.
    """
    panels: list[Any] = [lambda axes: value_curve(result, axes, minimum=minimum, unit=unit)]
    if np.any(result.trace.infeasibility > 0):
        panels.append(lambda axes: _infeasibility_curve(result, axes))
    if np.isfinite(result.trace.optimality).any():
        panels.append(lambda axes: optimality_curve(result, axes))
    if result.validation is not None and len(result.validation.step):
        panels.append(lambda axes: validation_curve(result, axes, unit=unit))
        panels += [lambda axes, name=name: metric_curve(result, name, axes) for name in result.validation.metrics]
    columns = 2 if len(panels) in (2, 4) else min(len(panels), 3)
    rows = -(-len(panels) // columns)
    width, height = columns * _PANEL_SIZE[0], rows * _PANEL_SIZE[1] + _TITLE_HEIGHT
    if figure is None:
        figure, axes = new_figure(width, height, rows, columns)
    else:
        figure.set_size_inches(width, height)
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for draw, panel in zip(panels, axes, strict=False):
        draw(panel)
    for empty in axes[len(panels) :]:
        empty.remove()
    figure.suptitle(_run_title(result), x=0.02, ha="left", fontsize=10)
    return figure


def _run_title(result: Result) -> str:
    """Returns a title with the method, the status and the number of steps."""
    return f"{result.name}: {result.status.name.replace('_', ' ').lower()} after {result.steps} steps"


def value_curve(result: Result, axes: "Axes | None" = None, *, minimum: float | None = None, unit: str = "") -> "Axes":
    """Draws the objective at every step, or its distance from `minimum` (absolute if points are infeasible).

    - `result`, `minimum`, `unit`: as in `history`. `axes`: the axes to draw on; None for new ones.
    """
    axes, column, name = new_axes(axes), np.asarray(result.trace.value, float), "value"
    if minimum is not None:
        gap, name = column - minimum, f"value {'-' if minimum > 0 else '+'} {abs(minimum):.4g}" if minimum else name
        if np.any(result.trace.infeasibility > 0):
            column, name = np.abs(gap), f"|{name}|"
        else:  # rounding may put a value just below the minimum
            column = np.where(np.isnan(gap), np.nan, np.maximum(gap, 0))
    draw_line(axes, _trace_steps(result), column, color=COLORS[0])
    return style_axes(axes, "step", axis_label(name, unit))


def _infeasibility_curve(result: Result, axes: "Axes | None" = None) -> "Axes":
    """Draws the largest violation of a constraint at every step.

    - `result`: what `tw.minimize` returned. `axes`: the axes to draw on; None for new ones.
    """
    axes = new_axes(axes)
    draw_line(axes, _trace_steps(result), result.trace.infeasibility, color=COLORS[4])
    return style_axes(axes, "step", "infeasibility (largest violation)")


def optimality_curve(result: Result, axes: "Axes | None" = None) -> "Axes":
    """Draws the first-order residual at every step.

    - `result`: what `tw.minimize` returned. `axes`: the axes to draw on; None for new ones.
    """
    axes = new_axes(axes)
    draw_line(axes, _trace_steps(result), result.trace.optimality, color=COLORS[1])
    return style_axes(axes, "step", "optimality (largest entry)")


def validation_curve(result: Result, axes: "Axes | None" = None, *, unit: str = "") -> "Axes":
    """Draws the validation value at the steps at which it was measured.

    - `result`: what `tw.minimize` returned, with validation. `axes`: the axes to draw on; None for new ones.
    - `unit`: the unit of the validation value.
    """
    axes = new_axes(axes)
    assert result.validation is not None
    draw_line(axes, result.validation.step, result.validation.value, color=COLORS[2])
    return style_axes(axes, "step", axis_label("validation value", unit))


def metric_curve(result: Result, name: str, axes: "Axes | None" = None) -> "Axes":
    """Draws one metric on the validation data.

    - `result`: what `tw.minimize` returned, with validation. `name`: the name of the metric.
    - `axes`: the axes to draw on; None for new ones.
    """
    axes = new_axes(axes)
    assert result.validation is not None
    draw_line(axes, result.validation.step, result.validation.metrics[name], color=COLORS[3])
    return style_axes(axes, "step", f"validation {name}")


def _trace_steps(result: Result) -> np.ndarray:
    """Returns the step of every row of the trace."""
    return result.first_step + np.arange(len(result.trace.value))


def axis_label(name: str, unit: str) -> str:
    """Returns the label of an axis with its unit."""
    return f"{name} ({unit})" if unit else name
