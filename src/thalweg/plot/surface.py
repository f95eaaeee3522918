"""Contour plots of functions of two variables, and trajectories on them."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.problem import Problem
from thalweg.plot.style import COLORS, GRAY, new_axes, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID_POINTS = 200
"""The number of grid points along each axis."""


def contours(problem: Problem, lower: Any, upper: Any, axes: "Axes | None" = None, *, levels: int = 14) -> "Axes":
    """Draws contour lines of a problem in two variables.

    - `problem`: a `tw.Problem` in two variables. `lower`, `upper`: opposite corners of the region.
    - `axes`: the axes to draw on; None for new ones. `levels`: the number of contour lines.

    The levels are evenly spaced in the logarithm of the height above the lowest point shown, so that flat and steep
    parts can both be seen.
    """
    axes = new_axes(axes)
    u, v = (np.linspace(lower[i], upper[i], _GRID_POINTS) for i in range(2))
    grid = jnp.asarray(np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2), jnp.result_type(float))
    height = np.asarray(jax.vmap(problem.value)(grid), float).reshape(_GRID_POINTS, _GRID_POINTS)
    height = np.log(height - np.nanmin(height) + 1e-3 * np.nanstd(height))
    axes.contourf(u, v, height, levels, cmap="Greys", alpha=0.35)
    axes.contour(u, v, height, levels, colors=GRAY, linestyles="solid", linewidths=0.4, alpha=0.7)
    style_axes(axes, "x[0]", "x[1]")
    axes.grid(False)
    axes.set(xlim=(lower[0], upper[0]), ylim=(lower[1], upper[1]))
    return axes


def trajectory(points: Any, axes: "Axes", *, label: str = "", color: str = COLORS[0], width: float = 1.4) -> "Axes":
    """Draws the trajectory of a run in two variables, from a hollow marker to a filled one.

    - `points`: the iterates, one row per step. `axes`: the axes to draw on, for instance those of `contours`.
    - `label`, `color`, `width`: of the line.
    """
    points = np.asarray(points)
    axes.plot(points[:, 0], points[:, 1], color=color, linewidth=width, label=label, solid_joinstyle="round")
    axes.plot(*points[0], marker="o", color=color, markerfacecolor="white", markersize=6)
    axes.plot(*points[-1], marker="o", color=color, markersize=6)
    return axes
