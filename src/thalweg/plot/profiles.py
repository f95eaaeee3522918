"""Performance and data profiles: many methods on many problems in one figure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.plot.style import COLORS, new_axes, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE_STYLES = ("-", "--", ":", "-.")
"""Line styles, which distinguish methods beyond the number of colors."""
_MAX_LEGEND_INSIDE = 6
"""The largest number of methods with the legend inside the axes; a longer legend is placed beside them."""


def performance_profile(work: Mapping[str, Any], axes: "Axes | None" = None, *, unit: str = "evaluations") -> "Axes":
    r"""Performance profile: the fraction of problems that a method solves with at most \(\tau\) times the least work.

    \(\rho_s(\tau) = |\{p : w_{ps} \le \tau \min_{s'} w_{ps'}\}| / n_p\): at \(\tau = 1\) how often a method is the
    fastest, at large \(\tau\) how many problems it solves at all.

    - `work`: name of a method -> its work on every problem, infinity or NaN where it failed; the same problems in the
      same order for all methods.
    - `axes`: the axes to draw on; None for new ones. `unit`: the unit of work.

    **References** Dolan & Moré 2002, doi:10.1007/s101070100263.
    """
    names, table = _work_table(work)
    with np.errstate(invalid="ignore"):
        ratios = table / np.min(table, axis=0)
    ratios[~np.isfinite(table)] = np.inf
    axes = _draw_profiles(new_axes(axes, _profile_width(names)), names, ratios, start=1.0)
    return style_axes(axes, f"{unit} / fewest {unit} of any method", "fraction of problems solved")


def data_profile(
    work: Mapping[str, Any], dimensions: Any, axes: "Axes | None" = None, *, unit: str = "evaluations"
) -> "Axes":
    r"""Data profile: the fraction of problems that a method solves with at most \(\kappa(n_p+1)\) evaluations.

    \(d_s(\kappa) = |\{p : w_{ps} \le \kappa(n_p + 1)\}| / n_p\): what a budget achieves, in units of the evaluations
    of one simplex gradient.

    - `work`, `axes`, `unit`: as in `performance_profile`.
    - `dimensions`: the number of variables of every problem.

    **References** Moré & Wild 2009, doi:10.1137/080724083.
    """
    names, table = _work_table(work)
    dimensions = np.asarray(dimensions, float)
    if dimensions.shape != table.shape[1:]:
        raise ValueError(
            f"dimensions has shape {dimensions.shape}: give one number for each of {table.shape[1]} problems."
        )
    axes = _draw_profiles(new_axes(axes, _profile_width(names)), names, table / (dimensions + 1), start=None)
    return style_axes(axes, f"{unit} / (variables + 1)", "fraction of problems solved")


def _work_table(work: Mapping[str, Any]) -> tuple[list[str], np.ndarray]:
    """Returns the names of the methods, and a table of work with one row per method, infinite where it failed."""
    if not work:
        raise ValueError("work is empty: give at least one method's work, {'name': [numbers]}.")
    rows = [np.asarray(row, float) for row in work.values()]
    if any(row.ndim != 1 or row.shape != rows[0].shape or not row.size for row in rows):
        shapes = ", ".join(f"{name!r} {row.shape}" for name, row in zip(work, rows, strict=True))
        raise ValueError(f"work has rows of shapes {shapes}: give every method one number a problem.")
    table = np.stack(rows)
    if (table <= 0).any():
        raise ValueError("work has entries that are not positive: count the evaluation at the start, too.")
    return list(work), np.where(np.isnan(table), np.inf, table)


def _profile_width(names: list[str]) -> float:
    """Returns the width of the figure in inches, with space for a legend beside the axes if it is long."""
    return 5.0 if len(names) <= _MAX_LEGEND_INSIDE else 8.0


def _draw_profiles(axes: "Axes", names: list[str], table: np.ndarray, start: float | None) -> "Axes":
    """Draws the distribution function of every row as steps, over a logarithmic axis of base two."""
    finite = table[np.isfinite(table)]
    low = start or 0.8 * finite.min(initial=1.0)
    high = 1.2 * finite.max(initial=2.0 * low)
    for at, (name, row) in enumerate(zip(names, table, strict=True)):
        reached = np.sort(row[np.isfinite(row)])
        x = np.concatenate([[low], reached, [high]])
        y = np.concatenate([[0], np.arange(1, len(reached) + 1), [len(reached)]]) / table.shape[1]
        dash = _LINE_STYLES[at // len(COLORS) % len(_LINE_STYLES)]
        label = f"{name} ({len(reached)} of {table.shape[1]})"
        axes.step(x, y, where="post", color=COLORS[at % len(COLORS)], linestyle=dash, label=label)
    axes.set_xscale("log", base=2)
    axes.set_xlim(low, high)
    axes.set_ylim(0, 1.02)
    if len(names) <= _MAX_LEGEND_INSIDE:
        axes.legend(fontsize=7, loc="lower right")
    else:
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return axes
