"""Draws how rules walk through a ravine: one picture for each family, from the same start, to the same accuracy.

Run it as `python examples/ravine_pictures.py [folder]`; it needs `pip install "thalweg[plot]"`.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np

import thalweg as tw
from thalweg import plot
from thalweg.plot.style import COLORS, new_figure

START = np.asarray([-1.8, 0.55])
CLOSE = 1e-4
MOST = 3000
FAMILIES = {
    "first_order": {
        "SGD": tw.SGD(0.08),
        "Momentum": tw.Momentum(0.03, 0.9),
        "Nesterov": tw.Nesterov(tw.Momentum(0.03, 0.9)),
        "Schedule-Free": tw.ScheduleFreeSGD(0.09),
    },
}


def ravine(x):
    """Curvatures 1 and 20 along turned axes, and a bend."""
    u = 0.9 * x[0] + 0.3 * x[1]
    v = x[1] - 0.25 * x[0] - 0.1 * x[0] ** 2
    return 0.5 * u**2 + 10 * v**2


def draw(methods: dict, axes) -> None:
    """The way of every method, with its number of steps."""
    problem = tw.Problem(ravine)
    plot.contours(problem, (-2.1, -0.75), (0.9, 1.0), axes)
    for color, (name, method) in zip(COLORS, methods.items(), strict=False):
        points = [START]
        record = tw.Every(1, lambda event, points=points: points.append(np.asarray(event.x)))
        stop = tw.Target(CLOSE) | tw.Steps(MOST)
        result = tw.minimize(problem, START, method, stop=stop, callbacks=[record], on_failure="ignore")
        reached = f"{result.steps:,} steps" if result.value <= CLOSE else f"{result.value:.0e} after {result.steps:,}"
        plot.path(points, axes, label=f"{name}: {reached}", color=color)
    axes.plot(0, 0, marker="*", color="black", markersize=10, zorder=5)
    axes.legend(loc="lower right", fontsize=8, framealpha=0.95)


def main(folder: Path) -> None:
    """A picture a family."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, methods in FAMILIES.items():
        figure, (axes,) = new_figure(6.4, 4.0)
        draw(methods, axes)
        axes.set_title(f"To a value of {CLOSE:g}", fontsize=10, loc="left")
        figure.savefig(folder / f"ravine_{name}.png", dpi=130)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
