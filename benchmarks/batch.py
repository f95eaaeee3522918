"""Many runs in one call against a loop over SciPy: Rosenbrock in ten variables from random starts.

    python benchmarks/batch.py

SciPy minimizes with value and gradient jitted by JAX from `SAMPLE` starts; its time is scaled to the number of starts
here. All stop at a largest gradient entry of 1e-5. Cold times are those of the first call of a new process, including
compilation.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import timing
from scipy import optimize

import thalweg as tw

TOLERANCE = 1e-5
SIZES = (1, 10, 100, 1000)
SAMPLE = 50
ROUNDS = 5
STOP = tw.GradNorm(TOLERANCE) | tw.Steps(1000)
TARGET = 30


def rosenbrock(x):
    """Rosenbrock's function in ten variables: minimum 0 at ones, and a second local minimum near 3.99."""
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def starts(number: int) -> np.ndarray:
    """Returns normally distributed starts with standard deviation 2."""
    return np.random.default_rng(0).normal(scale=2.0, size=(number, 10))


def together(number: int) -> tw.BatchResult:
    """Runs all starts in one call."""
    return tw.minimize_batch(rosenbrock, starts(number), tw.LBFGS(), stop=STOP)


def scipy_loop(name: str) -> float:
    """Returns the seconds per start of a loop over SciPy."""
    both = jax.jit(jax.value_and_grad(rosenbrock))

    def fun(x):
        value, grad = both(x)
        return float(value), np.asarray(grad)

    points = starts(SAMPLE)
    fun(points[0])
    options = {"gtol": TOLERANCE}
    began = time.perf_counter()
    for x in points:
        optimize.minimize(fun, x, jac=True, method=name, options=options)
    return (time.perf_counter() - began) / SAMPLE


def cold(number: int) -> None:
    """Prints the seconds of the first call of a process."""
    began = time.perf_counter()
    result = together(number)
    print(json.dumps([time.perf_counter() - began, result.seconds.compile]))


def main() -> None:
    """Times every size, cold and warm, and SciPy."""
    calls = {f"{number} runs": lambda number=number: together(number) for number in SIZES}
    results = {name: call() for name, call in calls.items()}
    loops = {"BFGS": 1000.0, "L-BFGS-B": 1000.0}
    scipy = {f"SciPy {name}": lambda name=name: scipy_loop(name) for name in loops}
    warm = timing.interleaved(calls, ROUNDS)
    per_start = {name: [loop() for _ in range(3)] for name, loop in scipy.items()}
    rows = [timing.Row(f"{name}, warm", seconds) for name, seconds in warm.items()]
    rows += [timing.Row(f"{n} runs, cold", [timing.fresh(__file__, str(n))[0]]) for n in SIZES]
    thousand = warm[f"{SIZES[-1]} runs"]
    for name, seconds in per_start.items():
        scaled = [second * SIZES[-1] for second in seconds]
        gain = timing.verdict(timing.ratio(scaled, thousand), TARGET, " times one call", at_least=True)
        rows.append(timing.Row(f"{name}, {SIZES[-1]} runs, scaled from {SAMPLE}", scaled, gain))
    timing.show("Rosenbrock-10 from random starts", rows)
    last = results[f"{SIZES[-1]} runs"]
    print(f"\n{last}")
    timing.machine()


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    if len(sys.argv) > 1:
        cold(int(sys.argv[1]))
    else:
        main()
