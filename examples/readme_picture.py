"""Draws the figure of the README: three methods in Rosenbrock's valley and on handwritten digits.

Run it as `python examples/readme_picture.py [file]`; it needs `pip install "thalweg[plot,zoo]"`.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np

import thalweg as tw
from thalweg import plot, problems
from thalweg.plot.style import COLORS, new_figure, style_axes

VALLEY = {"SGD": tw.SGD(1.5e-3), "Adam": tw.Adam(0.03), "L-BFGS": tw.LBFGS()}
DIGITS = {"SGD": tw.SGD(0.5), "Adam": tw.Adam(0.02), "L-BFGS": tw.LBFGS()}


def draw_valley(axes):
    """Draws the trajectories of the three methods, to the same value."""
    problem, x0 = problems.rosenbrock()[:2]
    plot.contours(problem, (-1.7, -0.6), (1.5, 1.6), axes)
    for color, width, (name, method) in zip(COLORS, (3.0, 1.8, 1.2), VALLEY.items(), strict=False):
        points = []
        record = tw.Every(1, lambda event, points=points: points.append(np.asarray(event.x)))
        stop = tw.Target(1e-6) | tw.Steps(100_000)
        result = tw.minimize(problem, x0, method, stop=stop, callbacks=[record])
        plot.trajectory([x0, *points], axes, label=f"{name}: {result.steps:,} steps", color=color, width=width)
    axes.plot(1, 1, marker="*", color="black", markersize=11, zorder=5)
    axes.legend(loc="lower center", fontsize=8.5, framealpha=0.95)
    axes.set_title("Rosenbrock's valley, to a value of 1e-6", fontsize=10, loc="left")


def draw_digits(axes):
    """Draws the objective of the digits network over gradient evaluations, up to a gradient of 1e-4 or 400 steps."""
    job = problems.digits(decay=1e-3)
    for color, (name, method) in zip(COLORS, DIGITS.items(), strict=False):
        result = tw.minimize(job.problem, job.x0, method, stop=tw.GradNorm(1e-4) | tw.Steps(400))
        work = np.concatenate([[0], np.cumsum(result.trace.evals.gradient)])[: len(result.trace.value)] + 1
        accuracy = result.validation.metrics["accuracy"][-1]
        axes.plot(work[-1], result.trace.value[-1], marker="o", markersize=5, color=color)
        axes.plot(work, result.trace.value, color=color, label=f"{name}: {accuracy:.1%} right on held-out digits")
    axes.set(xscale="log", yscale="log")
    axes.legend(loc="upper right", fontsize=8.5, framealpha=0.95)
    style_axes(axes, "gradient evaluations (passes over the data)", "value (nats)")
    axes.set_title("Handwritten digits, a network with 4,810 weights", fontsize=10, loc="left")


def main(file: Path) -> None:
    """Saves both panels side by side."""
    figure, (left, right) = new_figure(10, 4.2, 1, 2)
    draw_valley(left)
    draw_digits(right)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/digits.png"))
