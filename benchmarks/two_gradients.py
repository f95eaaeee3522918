"""The cost of SAM: a step of `SAM(rule)` compared with a step of its rule, which takes one gradient instead of two.

Two networks on the digits, batches of 64: 64-64-10 (5 thousand parameters), and 64-1024-1024-10 (1.1
million). The same loop runs both, so the ratio is that of the steps.
"""

import argparse
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from timing import Row, interleaved, machine, ratio, show, verdict

import thalweg as tw
from thalweg.losses import cross_entropy
from thalweg.problems.digits import load_split

TARGET = 2.1
WIDTHS = {"64-64-10": (64, 64, 10), "64-1024-1024-10": (64, 1024, 1024, 10)}
RULES = {"SGD": tw.SGD(0.05), "Adam": tw.Adam(1e-3)}
STEPS = {"64-64-10": 2000, "64-1024-1024-10": 60}


def network(widths: tuple[int, ...]) -> list[dict]:
    """Returns weights and biases with He's initialization."""
    rng = np.random.default_rng(0)
    pairs = itertools.pairwise(widths)
    return [{"w": np.float32(rng.normal(size=(m, n)) * np.sqrt(2 / m)), "b": np.zeros(n, np.float32)} for m, n in pairs]


def loss(layers: list[dict], batch: tuple) -> jax.Array:
    """Returns the cross-entropy on a batch."""
    x, labels = batch
    for layer in layers[:-1]:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    return jnp.mean(cross_entropy(x @ layers[-1]["w"] + layers[-1]["b"], labels))


def main() -> None:
    """Prints a table for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    machine()
    problem = tw.Problem(loss, load_split().train)
    for name, widths in WIDTHS.items():
        steps, x0 = STEPS[name], network(widths)

        def run(method, steps=steps, x0=x0):
            return tw.minimize(problem, x0, method, batch_size=64, stop=tw.Steps(steps))

        methods = {f"{label}{sharp}": make(rule) for label, rule in RULES.items() for sharp, make in SHARP.items()}
        for method in methods.values():
            run(method)  # compiles
        seconds = interleaved({label: (lambda m=m: run(m)) for label, m in methods.items()}, rounds)
        per_step = {label: [s / steps for s in times] for label, times in seconds.items()}
        rows = []
        for label, times in per_step.items():
            rule = label.split(",")[0]
            remark = verdict(ratio(times, per_step[rule]), TARGET) if label != rule else ""
            rows.append(Row(label, times, remark))
        show(f"{name}, a step", rows, unit="us", scale=1e6)


SHARP = {"": lambda rule: rule, ", SAM": lambda rule: tw.SAM(rule, rho=0.05)}
"""Suffix of a name -> the rule without or with SAM."""

if __name__ == "__main__":
    main()
