"""A sweep of 256 learning rates: one `vmap` against 256 calls of a compiled loop, Rosenbrock-10 in float64, 1000 steps.

Target: `vmap` with `batched=True` at least 10 times faster. In the second case most lanes stop early.
"""

import argparse
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from timing import Row, interleaved, machine, ratio, show, verdict

import thalweg as tw

TARGET = 10.0
LANES, STEPS = 256, 1000
RATES = {"SGD": (1e-6, 5e-4), "Adam": (1e-4, 1e-1)}
EARLY = {"SGD": 100.0, "Adam": 100.0}
"""A target value that most lanes reach long before the last step."""


def rosenbrock(x: Any) -> Any:
    """Rosenbrock's function."""
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def lane(rule: str, stop: tw.Stop, batched: bool) -> Callable:
    """Returns one run as a function of its learning rate."""
    problem, key = tw.Problem(rosenbrock), jax.random.key(0)

    def run(rate, x):
        solver = tw.FirstOrder(getattr(tw, rule)(rate))
        carry = tw.start(problem, solver, x, stop, key)
        return tw.iterate(problem, solver, carry, stop, key, capacity=STEPS, batched=batched)

    return run


def contenders(rule: str, stop: tw.Stop) -> dict[str, Callable]:
    """Returns the same sweep in three forms, compiled."""
    x = jnp.asarray(np.resize([-1.2, 1.0], 10))
    rates = jnp.asarray(np.geomspace(*RATES[rule], LANES))
    one = jax.jit(lane(rule, stop, False))
    lanes = {flag: jax.jit(jax.vmap(lane(rule, stop, flag), in_axes=(0, None))) for flag in (True, False)}

    def calls():
        return jax.block_until_ready([one(rate, x) for rate in rates])

    rates = list(rates)
    stacked = jnp.stack(rates)
    out = {f"{LANES} calls": calls}
    for flag, compiled in lanes.items():
        name = "vmap, batched=True" if flag else "vmap, batched=False"
        out[name] = functools.partial(lambda f: jax.block_until_ready(f(stacked, x)), compiled)
    return out


def agree(results: dict[str, Any]) -> float:
    """Checks that all three did the same work, and returns the mean number of steps of a lane."""
    calls, *others = results.values()
    steps = np.array([int(carry.step) for carry, _ in calls])
    for carry, _ in others:
        np.testing.assert_array_equal(np.asarray(carry.step), steps)
    return float(steps.mean())


def main(rounds: int) -> None:
    """Prints a table for each rule and stop rule."""
    jax.config.update("jax_enable_x64", True)
    for rule in RATES:
        for name, stop in {"all lanes to the end": tw.Never(), "early stop": tw.Target(EARLY[rule])}.items():
            calls = contenders(rule, stop)
            steps = agree({key: call() for key, call in calls.items()})
            seconds = interleaved(calls, rounds)
            show(f"{rule}, {name}: {steps:.0f} of {STEPS} steps a lane", [Row(n, s) for n, s in seconds.items()])
            base, batched, plain = seconds.values()
            print(f"  calls / vmap, batched=True: {verdict(ratio(base, batched), TARGET, ' times', at_least=True)}")
            print(f"  calls / vmap, batched=False: {ratio(base, plain):.2f} times")
    machine()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    main(parser.parse_args().rounds)
