"""Draws how rules walk through a ravine: one picture for each family, from the same start, to the same accuracy.

Run it as `python examples/ravine_picture.py [folder]`; it needs `pip install "thalweg[plot]"`.
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
    "adaptive": {
        "SGD": tw.SGD(0.08),
        "AdaGrad": tw.AdaGrad(0.3),
        "RMSProp, falling rate": tw.RMSProp(tw.schedules.Cosine(0.05, 300)),
        "Adam": tw.Adam(0.1),
        "Lion, falling rate": tw.Lion(tw.schedules.Cosine(0.05, 300)),
    },
    "large_and_tuning_free": {
        "Prodigy": tw.Prodigy(),
        "DAdaptAdam": tw.DAdaptAdam(),
        "LAMB": tw.LAMB(0.1),
        "Lookahead(Adam)": tw.Lookahead(tw.Adam(0.1)),
        "Cautious(Momentum)": tw.Cautious(tw.Momentum(0.03, 0.9)),
    },
    "matrices": {
        "AdamW": tw.AdamW(0.1, weight_decay=0.0),
        "Muon, falling rate": tw.Muon(tw.schedules.Cosine(0.2, 100)),
        "Shampoo": tw.Shampoo(0.5, every=1),
        "SOAP": tw.SOAP(0.1, weight_decay=0.0, every=1),
    },
    "wrappers": {
        "SGD": tw.SGD(0.08),
        "Clip(SGD)": tw.Clip(tw.SGD(0.08), 2.0),
        "GradientNoise(SGD)": tw.GradientNoise(tw.SGD(0.08), 1.0, 1.0),
        "Accumulate(SGD, 4)": tw.Accumulate(tw.SGD(0.08), 4),
    },
}
MATRICES = ("matrices",)
"""Families for which the two variables are a matrix of one column."""


def ravine(x):
    """Curvatures 1 and 20 along turned axes, and a bend."""
    x = x.reshape(2)
    u = 0.9 * x[0] + 0.3 * x[1]
    v = x[1] - 0.25 * x[0] - 0.1 * x[0] ** 2
    return 0.5 * u**2 + 10 * v**2


def draw(methods: dict, start: np.ndarray, axes) -> None:
    """The way of every method, with its number of steps."""
    problem = tw.Problem(ravine)
    plot.contours(problem, (-2.1, -0.75), (0.9, 1.0), axes)
    for color, (name, method) in zip(COLORS, methods.items(), strict=False):
        points = [START]
        record = tw.Every(1, lambda event, points=points: points.append(np.ravel(event.x)))
        stop = tw.Target(CLOSE) | tw.Steps(MOST)
        result = tw.minimize(problem, start, method, stop=stop, callbacks=[record], on_failure="ignore")
        reached = f"{result.steps:,} steps" if result.value <= CLOSE else f"{result.value:.0e} after {result.steps:,}"
        plot.path(points, axes, label=f"{name}: {reached}", color=color)
    axes.plot(0, 0, marker="*", color="black", markersize=10, zorder=5)
    axes.legend(loc="lower right", fontsize=8, framealpha=0.95)


def main(folder: Path) -> None:
    """A picture a family."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, methods in FAMILIES.items():
        figure, (axes,) = new_figure(6.4, 4.0)
        draw(methods, START[:, None] if name in MATRICES else START, axes)
        axes.set_title(f"To a value of {CLOSE:g}", fontsize=10, loc="left")
        figure.savefig(folder / f"ravine_{name}.png", dpi=130)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
