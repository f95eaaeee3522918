"""The overhead of the loop per step: trace row, stop rule, best value, keys, counters.

Rosenbrock-10 in float64 with gradient descent and Adam. The bare loop is a hand-written `while_loop` with the same
update and the gradient alone. Target: at most 1 microsecond per step more.
"""

import argparse
import functools
import statistics
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from timing import Row, interleaved, machine, show, verdict

import thalweg as tw

TARGET = 1.0
"""Microseconds a step."""
LENGTHS = (1024, 10_000)
RATES = {"SGD": 1e-4, "Adam": 1e-3}


def rosenbrock(x: Any) -> Any:
    """Rosenbrock's function."""
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def bare_sgd(x: Any, rate: Any, steps: Any) -> Any:
    """Runs gradient descent in a plain `while_loop`."""

    def body(loop):
        i, x = loop
        return i + 1, x - rate * jax.grad(rosenbrock)(x)

    return jax.lax.while_loop(lambda loop: loop[0] < steps, body, (jnp.int32(0), x))


def bare_adam(x: Any, rate: Any, steps: Any) -> Any:
    """Runs Adam in a plain `while_loop`."""

    def body(loop):
        i, x, m, v = loop
        t, grad = (i + 1).astype(x.dtype), jax.grad(rosenbrock)(x)
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        return i + 1, x - rate * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v

    return jax.lax.while_loop(lambda loop: loop[0] < steps, body, (jnp.int32(0), x, 0 * x, 0 * x))


BARE = {"SGD": bare_sgd, "Adam": bare_adam}


def ours(rule: str, capacity: int) -> Callable:
    """Returns a run of `tw.iterate` with a trace of `capacity` rows; the rate and the number of steps are traced."""
    problem, key = tw.Problem(rosenbrock), jax.random.key(0)

    def run(x, rate, steps):
        solver = tw.FirstOrder(getattr(tw, rule)(rate))
        stop = tw.GradNorm(0.0) | tw.Steps(steps)
        return tw.iterate(problem, solver, tw.start(problem, solver, x, stop, key), stop, key, capacity=capacity)

    return run


def measure(rule: str, steps: int, rounds: int) -> dict[str, list[float]]:
    """Returns the seconds per step of both loops."""
    x, rate = jnp.asarray(np.resize([-1.2, 1.0], 10)), jnp.asarray(RATES[rule])
    functions = {f"bare {rule}, {steps} steps": BARE[rule], f"thalweg {rule}, {steps} steps": ours(rule, steps)}
    calls = {}
    for name, function in functions.items():
        compiled = jax.jit(function)
        call = functools.partial(lambda f, *args: jax.block_until_ready(f(*args)), compiled, x, rate, float(steps))
        call()
        calls[name] = call
    agree(*(call() for call in calls.values()))
    return {name: [s / steps for s in values] for name, values in interleaved(calls, rounds).items()}


def agree(bare: tuple, full: tuple) -> None:
    """Checks that both loops did the same work."""
    carry, _ = full
    assert int(bare[0]) == int(carry.step)
    np.testing.assert_allclose(bare[1], carry.state.x, rtol=1e-6)


def main(rounds: int) -> None:
    """Prints a table, and the difference of the medians for each pair."""
    jax.config.update("jax_enable_x64", True)
    rows, verdicts = [], []
    for rule in BARE:
        for steps in LENGTHS:
            seconds = measure(rule, steps, rounds)
            rows += [Row(name, values) for name, values in seconds.items()]
            bare, full = (1e6 * statistics.median(values) for values in seconds.values())
            verdicts.append(f"  {rule}, {steps} steps: overhead {verdict(full - bare, TARGET, ' us/step')}")
    show("Time of one step", rows, "us", 1e6)
    print("\n".join(verdicts))
    machine()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    main(parser.parse_args().rounds)
