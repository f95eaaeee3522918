"""L-BFGS on Rosenbrock-10: the first call of a fresh process, and the calls after it.

Target: the first call takes at most 1.3 times Optimistix's BFGS; later calls at most 1 ms (aim: 0.3 ms).
Imports and one trivial jit come before the clock starts, for every contender alike.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from timing import Row, fresh, machine, ratio, show, verdict

FIRST_TARGET = 1.3
LATER_TARGET, LATER_AIM = 1.0, 0.3
"""Milliseconds."""
TOLERANCE = 1e-8
LATER_CALLS = 200


def rosenbrock(x: Any) -> Any:
    """Rosenbrock's function."""
    import jax.numpy as jnp

    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def thalweg(x0: Any) -> Callable[[], float]:
    """Returns a call of `tw.minimize` with its defaults."""
    import thalweg as tw

    minimize, method = tw.minimize, tw.LBFGS()  # imports the methods, which `import_time.py` measures
    return lambda: float(minimize(rosenbrock, x0, method).value)


def optimistix(x0: Any) -> Callable[[], float]:
    """Returns a call of `optimistix.minimise`."""
    import optimistix as optx

    solver = optx.BFGS(rtol=TOLERANCE, atol=TOLERANCE)
    return lambda: float(rosenbrock(optx.minimise(objective, solver, x0, max_steps=1000).value))


def objective(x: Any, args: Any) -> Any:
    """Rosenbrock's function with the arguments of Optimistix."""
    return rosenbrock(x)


def optimistix_jit(x0: Any) -> Callable[[], float]:
    """Returns a call of `optimistix.minimise` inside `jax.jit`, including the value."""
    import jax
    import optimistix as optx

    solver = optx.BFGS(rtol=TOLERANCE, atol=TOLERANCE)

    def solve(x0):
        x = optx.minimise(objective, solver, x0, max_steps=1000).value
        return x, rosenbrock(x)

    solve = jax.jit(solve)
    return lambda: float(solve(x0)[1])


def jaxopt(x0: Any) -> Callable[[], float]:
    """Returns a call of `jaxopt.LBFGS` inside `jax.jit`."""
    import jax
    import jaxopt as package

    run = jax.jit(package.LBFGS(rosenbrock, maxiter=1000, tol=TOLERANCE).run)
    return lambda: float(run(x0).state.value)


def scipy(x0: Any) -> Callable[[], float]:
    """Returns a call of `scipy.optimize.minimize(method="BFGS")` with jitted value and gradient."""
    import jax
    from scipy.optimize import minimize

    both = jax.jit(jax.value_and_grad(rosenbrock))

    def pair(x):
        value, grad = both(x)
        return float(value), grad

    return lambda: float(minimize(pair, x0, jac=True, method="BFGS", options={"gtol": TOLERANCE}).fun)


CONTENDERS = {
    "thalweg": thalweg,
    "optimistix": optimistix,
    "optimistix in jit": optimistix_jit,
    "jaxopt in jit": jaxopt,
    "scipy BFGS": scipy,
}


def worker(name: str) -> None:
    """Prints the seconds of the first call and of later calls in this process, and the value reached."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    call = CONTENDERS[name](np.resize([-1.2, 1.0], 10))
    jax.block_until_ready(jax.jit(lambda x: x + 1)(jnp.zeros(3)))
    began = time.perf_counter()
    value = call()
    first = time.perf_counter() - began
    later = [timed(call) for _ in range(LATER_CALLS if name != "optimistix" else 3)]
    print(json.dumps({"first": first, "later": statistics.median(later), "value": value}))


def timed(call: Callable[[], Any]) -> float:
    """Returns the seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main(repetitions: int) -> None:
    """Runs fresh processes in turn, and prints two tables."""
    seen: dict[str, list[dict]] = {name: [] for name in CONTENDERS}
    for _ in range(repetitions):
        for name in CONTENDERS:
            seen[name].append(fresh(__file__, "--worker", name))
    first = {name: [one["first"] for one in runs] for name, runs in seen.items()}
    later = {name: [one["later"] for one in runs] for name, runs in seen.items()}
    rows = [Row(name, seconds, f"f = {seen[name][0]['value']:.1e}") for name, seconds in first.items()]
    show("First call, Rosenbrock-10 in float64", rows)
    for peer in ("optimistix", "optimistix in jit"):
        print(f"  thalweg / {peer}: {verdict(ratio(first['thalweg'], first[peer]), FIRST_TARGET, ' times')}")
    show("Later calls (median of each process)", [Row(n, s) for n, s in later.items()])
    middle = 1e3 * statistics.median(later["thalweg"])
    print(f"  thalweg: {verdict(middle, LATER_TARGET, ' ms')}; {verdict(middle, LATER_AIM, ' ms')}")
    print(f"  thalweg / optimistix in jit: {ratio(later['thalweg'], later['optimistix in jit']):.2f} times")
    machine()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--worker", choices=list(CONTENDERS))
    given = parser.parse_args()
    if given.worker:
        worker(given.worker)
    else:
        main(given.repetitions)
