"""Epochs and time to a gap of 1e-8 on logistic regression: SVRG against scikit-learn's SAGA.

The breast-cancer data that comes with scikit-learn (569 examples, 30 features, standardized), an L2 penalty of 1/n
without intercept, float64. An epoch is n gradients of single examples: SVRG reads three a step. Times are warm: of
SVRG a second call of `minimize` (which takes one step more than it needs, to certify its last point), of scikit-learn a
`fit` with the number of epochs that it needs, found before. Its step size is 1/3L and cannot be chosen; that of SVRG
is the best of four, and once the same. The second table compares the design (a step is a whole
outer iteration) with one inner step a step and a `cond` around the full gradient, on 10 000 examples of 50 features.
"""

import argparse
import functools
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from timing import Row, interleaved, machine, ratio, show

import thalweg as tw

GAP = 1e-8
MOST = 3000


def cancer() -> tuple[np.ndarray, np.ndarray]:
    """Returns standardized features, and labels -1 and 1."""
    features, labels = load_breast_cancer(return_X_y=True)
    return (features - features.mean(0)) / features.std(0), np.where(labels == 1, 1.0, -1.0)


def objective(weight: float) -> Callable:
    """Returns the penalized logistic loss."""

    def loss(w, batch):
        features, sign = batch
        return jnp.mean(jnp.logaddexp(0.0, -sign * (features @ w))) + 0.5 * weight * jnp.sum(w**2)

    return loss


def saga(x: np.ndarray, y: np.ndarray, epochs: int) -> LogisticRegression:
    """Fits with exactly this many epochs of scikit-learn's SAGA."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(solver="saga", C=1.0, tol=0.0, max_iter=epochs, fit_intercept=False, random_state=0)
        return model.fit(x, y)


def fewest(reaches: Callable[[int], bool]) -> int | None:
    """Returns the smallest number of epochs that reaches the gap, by bisection; None beyond `MOST`."""
    high = 1
    while not reaches(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def against_saga(rounds: int) -> None:
    """Prints the first table: SVRG and scikit-learn's SAGA."""
    x, y = cancer()
    loss = objective(1 / len(y))
    problem = tw.Problem(loss, (x, y))
    best = tw.minimize(problem, np.zeros(x.shape[1]), tw.TrustRegion(), stop=tw.GradNorm(1e-13) | tw.Steps(100)).value
    value = jax.jit(lambda w: loss(w, (jnp.asarray(x), jnp.asarray(y))))
    epochs = fewest(lambda count: float(value(saga(x, y, count).coef_[0])) - best <= GAP)
    steepest = float((x**2).sum(1).max() / 4 + 1 / len(y))
    print(f"\nL of the steepest term {steepest:.1f}, mu >= {1 / len(y):.2g}; scikit-learn's SAGA needs {epochs} epochs")
    calls: dict[str, Callable[[], Any]] = {"SAGA (scikit-learn)": lambda: saga(x, y, epochs or MOST)}
    remarks = {"SAGA (scikit-learn)": f"{epochs} epochs"}
    stop = tw.Target(best + GAP) | tw.Epochs(2 * MOST)
    tuned = (1.0, 3.0, 10.0, 30.0)
    for batch_size, factors in ((1, (1 / 3,)), (1, tuned), (8, tuned), (32, tuned)):
        runs = []
        for factor in factors:
            method = tw.SVRG(factor / steepest, batch_size)
            result = tw.minimize(problem, np.zeros(x.shape[1]), method, stop=stop, on_failure="ignore")
            if result.status is tw.Status.STOPPED:
                runs.append((result.epochs, factor, method))
        if not runs:
            continue
        spent, factor, method = min(runs, key=lambda run: run[0])
        name = f"SVRG, batches of {batch_size}" + ("" if factors == tuned else ", the step size of SAGA")
        calls[name] = functools.partial(tw.minimize, problem, np.zeros(x.shape[1]), method, stop=stop)
        remarks[name] = f"{spent:.0f} epochs, step size {factor:.2g}/L"
    seconds = interleaved(calls, rounds)
    base = seconds["SAGA (scikit-learn)"]
    rows = [Row(name, s, f"{remarks[name]}, {ratio(s, base):.2f} of scikit-learn") for name, s in seconds.items()]
    show(f"to a gap of {GAP:g}", rows)


def snapshot_in_a_cond(problem: tw.Problem, rate: float, size: int) -> Callable:
    """Returns the alternative design, in which each step draws one batch and sometimes renews the snapshot."""
    data, n = problem.objective.data, problem.objective.examples

    def gradient(x, batch):
        return problem.objective.on(batch).value_and_grad(x)[1]

    def run(x, key, zero):
        def one(carry, step):
            x, snapshot, mean = carry
            due = (step + zero) % (n // size) == 0
            snapshot, mean = jax.lax.cond(due, lambda: (x, gradient(x, data)), lambda: (snapshot, mean))
            rows = jax.random.randint(jax.random.fold_in(key, step), (size,), 0, n)
            batch = jax.tree.map(lambda a: a[rows], data)
            return (x - rate * (gradient(x, batch) - gradient(snapshot, batch) + mean), snapshot, mean), None

        return jax.lax.scan(one, (x, x, jnp.zeros_like(x)), jnp.arange(n // size))[0][0]

    return run


def designs(rounds: int, lanes: int) -> None:
    """Prints the second table: one pass with batches of 50, alone and under `vmap`."""
    rng = np.random.default_rng(0)
    x, y, size, rate = rng.normal(size=(10_000, 50)), np.sign(rng.normal(size=10_000)), 50, 0.01
    problem = tw.Problem(objective(1e-3), (x, y))
    method = tw.SVRG(rate, size)

    def ours(w, key, zero):
        return method.step(problem, method.init(problem, w), key).state.x

    for count in (None, lanes):
        shape = () if count is None else (count,)
        key = jax.random.key(0) if count is None else jax.random.split(jax.random.key(0), count)
        args = jnp.zeros((*shape, 50)), key, jnp.zeros(shape, int)
        calls = {}
        for name, run in (("scan in a step", ours), ("cond", snapshot_in_a_cond(problem, rate, size))):
            compiled = jax.jit(run if count is None else jax.vmap(run))
            calls[name] = functools.partial(lambda f, args: jax.block_until_ready(f(*args)), compiled, args)
            calls[name]()
        seconds = interleaved(calls, rounds if count is None else 3)
        base = seconds["scan in a step"]
        rows = [Row(name, s, f"{ratio(s, base):.2f}") for name, s in seconds.items()]
        show("one outer iteration, " + ("alone" if count is None else f"{count} under vmap"), rows)


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lanes", type=int, default=16)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    began = time.perf_counter()
    against_saga(options.rounds)
    designs(options.rounds, options.lanes)
    machine()
    print(f"{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
