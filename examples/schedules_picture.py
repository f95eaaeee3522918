"""Draws every form of schedule over a run of a hundred steps, for the page about them.

Run it as `python examples/schedules_picture.py [file]`; it needs `pip install "thalweg[plot]"`.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib

matplotlib.use("Agg")

import thalweg as tw
from thalweg.plot.style import COLORS, new_figure, tidy

STEPS = 100
CYCLE = tw.schedules.OneCycle(1.0, STEPS, division=10)
PANELS = {
    "falling to 0": {
        "Linear": tw.schedules.Linear(1.0, 0.0, STEPS),
        "Polynomial, power 2": tw.schedules.Polynomial(1.0, STEPS, 2.0),
        "Cosine": tw.schedules.Cosine(1.0, STEPS),
    },
    "falling for ever": {
        "Exponential": tw.schedules.Exponential(1.0, 0.5, 25),
        "StepDecay": tw.schedules.StepDecay(1.0, 0.5, 25),
        "InverseTime": tw.schedules.InverseTime(1.0, 25),
    },
    "with a warm-up": {
        "WarmupCosine": tw.schedules.WarmupCosine(1.0, 10, STEPS),
        "InverseSqrt": tw.schedules.InverseSqrt(1.0, 10),
        "WSD": tw.schedules.WSD(1.0, 25, 10, STEPS),
    },
    "cycles": {
        "CosineRestarts, growth 2": tw.schedules.CosineRestarts(1.0, 14, 2.0, 0.8),
        "Cyclical, triangular2": tw.schedules.Cyclical(0.1, 1.0, 12, "triangular2"),
    },
    "one cycle": {"OneCycle": CYCLE, "its momentum": CYCLE.momentum()},
    "put together": {
        "Piecewise, linear": tw.schedules.Piecewise([20, 60, 90], [0.2, 1.0, 0.4, 0.0], "linear"),
        "Warmup of StepDecay": tw.schedules.Warmup(tw.schedules.StepDecay(0.8, 0.5, 30), 10),
        "Join of 0.6 and Cosine": tw.schedules.Join([0.6, tw.schedules.Cosine(0.6, 50)], 50),
    },
}


def main(file: Path) -> None:
    """A panel for each kind."""
    figure, axes = new_figure(10, 5.2, 2, 3)
    steps = jnp.arange(STEPS + 1)
    for panel, (title, schedules) in zip(axes, PANELS.items(), strict=True):
        for color, (name, schedule) in zip(COLORS, schedules.items(), strict=False):
            panel.plot(steps, jax.vmap(schedule)(steps), color=color, label=name)
        panel.set_ylim(-0.04, 1.5)
        panel.legend(fontsize=7.5, loc="upper right", frameon=False)
        panel.set_title(title, fontsize=10, loc="left")
        tidy(panel, "step", "rate / peak")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/schedules.png"))
