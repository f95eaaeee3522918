"""Moves a second of simulated annealing, all chains together: 64 restarts of one run, float64.

Rastrigin's function of 10 variables, and tours of 12 and of 50 cities. Target: 1e6 moves a second. The other column is
the same walk as a loop over NumPy arrays, one chain.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from timing import machine, verdict

import thalweg as tw
from thalweg.problems import rastrigin

TARGET = 1e6
CHAINS, STEPS, PROPOSALS = 64, 100, 100
NUMPY_MOVES = 5000


def by_numpy(value: Callable, x: np.ndarray, neighbour: Callable) -> float:
    """Moves a second of a plain loop."""
    rng, here = np.random.default_rng(0), value(x)
    began = time.perf_counter()
    for _ in range(NUMPY_MOVES):
        y = neighbour(rng, x)
        there = value(y)
        if there <= here or rng.random() < np.exp((here - there) / 0.1):
            x, here = y, there
    return NUMPY_MOVES / (time.perf_counter() - began)


def turned(rng: Any, x: np.ndarray) -> np.ndarray:
    """A stretch of a tour reversed."""
    i, j = sorted(rng.choice(len(x), 2, replace=False))
    y = x.copy()
    y[i : j + 1] = y[i : j + 1][::-1]
    return y


def cases() -> dict[str, tuple]:
    """Problem, start, move; value and neighbour in NumPy."""

    def dents(x):
        return 10 * len(x) + np.sum(x**2 - 10 * np.cos(2 * np.pi * x))

    out = {}
    known = rastrigin(10)
    walk = (dents, np.asarray(known.x0), lambda rng, x: x + 0.5 * rng.normal(size=len(x)))
    out["Rastrigin, 10 variables"] = (known, tw.moves.GaussianMove(0.5), walk)
    for cities in (12, 50):
        places = np.random.default_rng(0).random((cities, 2))
        known = known._replace(problem=tw.Problem(trip(places)), x0=np.arange(cities))
        out[f"tour, {cities} cities"] = (known, tw.moves.TwoOpt(), (length(places), np.arange(cities), turned))
    return out


def trip(places: np.ndarray) -> Callable:
    """The length of a tour, from a table of distances, in JAX."""
    apart = jnp.asarray(np.linalg.norm(places[:, None] - places, axis=2))
    return lambda order: jnp.sum(apart[order, jnp.roll(order, 1)])


def length(places: np.ndarray) -> Callable:
    """The same in NumPy."""
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    return lambda order: apart[order, np.roll(order, 1)].sum()


def main(rounds: int) -> None:
    """One line a problem."""
    jax.config.update("jax_enable_x64", True)
    for name, (known, move, walk) in cases().items():
        method = tw.SimulatedAnnealing(move, tw.schedules.Exponential(1.0, 1e-3, None), PROPOSALS)

        def run(known=known, method=method):
            return tw.minimize(known.problem, known.x0, method, stop=tw.Steps(STEPS), restarts=CHAINS)

        run()
        ours, loops = [], []
        for _ in range(rounds):
            began = time.perf_counter()
            moves = run().evals.value
            ours.append(moves / (time.perf_counter() - began))
            loops.append(by_numpy(*walk))
        ours, loop = float(np.median(ours)), float(np.median(loops))
        met = verdict(ours, TARGET, " moves/s", at_least=True)
        print(f"{name}: {met}; a NumPy loop {loop:.3g}, {ours / loop:.0f} times less")
    machine()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args().rounds)
