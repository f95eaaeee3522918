"""Functions of two variables, seen from above."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.problem import Problem
from thalweg.plot.style import COLORS, GRAY, new_axes, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID_POINTS = 200
"""Points of the grid along an axis."""


def contours(problem: Problem, lower: Any, upper: Any, axes: "Axes | None" = None, *, levels: int = 14) -> "Axes":
    """Level lines of a problem in two variables between the corners `lower` and `upper`.

    The levels are evenly spaced in the logarithm of the height above the lowest point shown, so that valley floors
    and walls can both be seen.
    """
    axes = new_axes(axes)
    u, v = (np.linspace(lower[i], upper[i], GRID_POINTS) for i in range(2))
    grid = jnp.asarray(np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2), jnp.result_type(float))
    height = np.asarray(jax.vmap(problem.value)(grid), float).reshape(GRID_POINTS, GRID_POINTS)
    height = np.log(height - np.nanmin(height) + 1e-3 * np.nanstd(height))
    axes.contourf(u, v, height, levels, cmap="Greys", alpha=0.35)
    axes.contour(u, v, height, levels, colors=GRAY, linestyles="solid", linewidths=0.4, alpha=0.7)
    style_axes(axes, "x[0]", "x[1]")
    axes.grid(False)
    axes.set(xlim=(lower[0], upper[0]), ylim=(lower[1], upper[1]))
    return axes


def trajectory(points: Any, axes: "Axes", *, label: str = "", color: str = COLORS[0], width: float = 1.4) -> "Axes":
    """The way of a run over a surface of two variables, from a hollow mark to a full one."""
    points = np.asarray(points)
    axes.plot(points[:, 0], points[:, 1], color=color, linewidth=width, label=label, solid_joinstyle="round")
    axes.plot(*points[0], marker="o", color=color, markerfacecolor="white", markersize=6)
    axes.plot(*points[-1], marker="o", color=color, markersize=6)
    return axes
