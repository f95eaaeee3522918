"""Logistic regression, 50 000 examples, 200 features, float64, to the same gradient norm as scikit-learn's best solver.

The objective is the mean loss with an L2 penalty, without an intercept. Every contender is run to the residual that the
table prints; scikit-learn's tolerance is the loosest power of ten that reaches it. Target: at most half the time of the
fastest of scikit-learn's solvers. `--cold` adds first calls in fresh processes, compilation included.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from timing import Row, fresh, interleaved, machine, ratio, show, verdict

import thalweg as tw

TARGET = 0.5
EXAMPLES, FEATURES, PENALTY, TOLERANCE = 50_000, 200, 1e-4, 1e-6
METHODS = {"Newton": tw.Newton(), "L-BFGS": tw.LBFGS(), "Newton-CG": tw.NewtonCG(check=0.0)}
METHODS["preconditioned L-BFGS"] = tw.PreconditionedLBFGS()
PEERS = ("lbfgs", "newton-cg", "newton-cholesky")


def data() -> tuple[np.ndarray, np.ndarray]:
    """Returns correlated features of different scales, and labels drawn from the model."""
    rng = np.random.default_rng(0)
    mix = np.eye(FEATURES) + rng.normal(size=(FEATURES, FEATURES)) / np.sqrt(4 * FEATURES)
    x = rng.normal(size=(EXAMPLES, FEATURES)) @ mix * np.logspace(-0.5, 0.5, FEATURES)
    w = rng.normal(size=FEATURES) / np.sqrt(FEATURES)
    return x, (rng.random(EXAMPLES) < 1 / (1 + np.exp(-x @ w))).astype(float)


def loss(w: jax.Array, batch: Any) -> jax.Array:
    """Returns the mean logistic loss with the penalty."""
    x, y = batch
    margin = x @ w
    return jnp.mean(jnp.logaddexp(0.0, margin) - y * margin) + 0.5 * PENALTY * w @ w


def ours(name: str, problem: tw.Problem) -> Any:
    """Runs one of our methods."""
    return tw.minimize(problem, np.zeros(FEATURES), METHODS[name], stop=tw.GradNorm(TOLERANCE) | tw.Steps(500)).x


def theirs(solver: str, x: np.ndarray, y: np.ndarray, tolerance: float) -> Any:
    """Fits with scikit-learn, whose penalty refers to the sum of the losses."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=1 / (PENALTY * EXAMPLES), fit_intercept=False, solver=solver, tol=tolerance, max_iter=500
    )
    return model.fit(x, y).coef_[0]


def residual(w: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Returns the largest entry of the gradient, computed in NumPy."""
    return float(np.abs(x.T @ (1 / (1 + np.exp(-x @ w)) - y) / EXAMPLES + PENALTY * w).max())


def loosest(solver: str, x: np.ndarray, y: np.ndarray) -> float:
    """Returns the largest power of ten as tolerance with which a solver reaches the residual."""
    for power in range(3, 13):
        if residual(theirs(solver, x, y, 10.0**-power), x, y) <= TOLERANCE:
            return 10.0**-power
    return 1e-12


def contenders(x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Returns name -> a run."""
    problem = tw.Problem(loss, (x, y))
    calls = {name: lambda name=name: ours(name, problem) for name in METHODS}
    tolerances = {solver: loosest(solver, x, y) for solver in PEERS}
    peers = {f"sklearn {s} ({t:.0e})": lambda s=s, t=t: theirs(s, x, y, t) for s, t in tolerances.items()}
    return calls | peers


def first_call(name: str) -> None:
    """Prints the seconds of the first run in this process, without data and imports."""
    x, y = data()
    problem = tw.Problem(loss, (x, y))
    jax.block_until_ready(jax.jit(lambda a: a + 1)(jnp.zeros(3)))
    began = time.perf_counter()
    jax.block_until_ready(ours(name, problem))
    print(json.dumps(time.perf_counter() - began))


def main(rounds: int, cold: bool) -> None:
    """Prints the tables."""
    x, y = data()
    calls = contenders(x, y)
    reached = {name: residual(call(), x, y) for name, call in calls.items()}
    seconds = interleaved(calls, rounds)
    rows = [Row(name, taken, f"residual {reached[name]:.1e}") for name, taken in seconds.items()]
    show(f"{EXAMPLES} x {FEATURES}, float64", rows, unit="s", scale=1.0)
    best = min((taken for name, taken in seconds.items() if name not in METHODS), key=np.median)
    for name in METHODS:
        print(f"  {name} / scikit-learn's best, warm: {verdict(ratio(seconds[name], best), TARGET)}")
    if cold:
        firsts = {name: [fresh(__file__, "--first", name) for _ in range(3)] for name in METHODS}
        show("first call", [Row(name, taken) for name, taken in firsts.items()], unit="s", scale=1.0)
        for name, taken in firsts.items():
            print(f"  {name} / scikit-learn's best, cold: {verdict(ratio(taken, best), TARGET)}")
    machine()


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--first", choices=METHODS)
    arguments = parser.parse_args()
    if arguments.first:
        first_call(arguments.first)
    else:
        main(arguments.rounds, arguments.cold)
