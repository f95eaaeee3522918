"""Runs side by side: in threads, on one processor or two, on one file."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import ROWS, X64, assert_same, posed, quartic, sampled, solver

START = np.asarray([0.5, -1.0, 3.0], float if X64 else np.float32)


def run(name: str, seed: int) -> tw.Result:
    """A short run of a method."""
    return tw.minimize(posed(name, quartic), START, solver(name), stop=tw.Steps(6), seed=seed, on_failure="ignore")


@pytest.mark.parametrize("names", [("sgd", "adam", "lbfgs", "em"), pytest.param(ROWS, marks=pytest.mark.thorough)])
def test_runs_in_threads_are_the_runs_one_after_the_other(names):
    """Some methods, or all, at once, twice, with the first compilations among them."""
    jobs = [(name, seed) for seed in (0, 1) for name in names]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: run(*job), jobs))
    for job, result in zip(jobs, together, strict=True):
        alone = run(*job)
        assert_same(result.x, alone.x)
        np.testing.assert_array_equal(result.trace.value, alone.trace.value)


SCRIPT = """
import json, sys
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
import thalweg as tw
from thalweg.problems import digits

rng = np.random.default_rng(0)
data = rng.normal(size=(3000, 6)) + 3 * rng.integers(0, 3, (3000, 1))
mixture = tw.minimize(tw.Problem(tw.GaussianMixture(3), data), stop=tw.Steps(10))
weights = rng.normal(size=(300, 300)) / 300
bowl = lambda x: x @ (weights.T @ weights) @ x + ((x - 1) ** 4).sum()
smooth = tw.minimize(bowl, np.zeros(300), tw.LBFGS(), stop=tw.Steps(10))
sharp = tw.minimize(bowl, np.zeros(300), tw.SAM(tw.Adam(0.1)), stop=tw.Steps(10))
found = [mixture.x.means.ravel(), smooth.x, sharp.x]
print(json.dumps([[float.hex(float(v)) for v in np.asarray(x)] for x in found]))
"""


def on(processors: int) -> list[np.ndarray]:
    """The script's numbers in a process of its own that may use so many processors."""
    flags = f"--xla_cpu_multi_thread_eigen={str(processors > 1).lower()} intra_op_parallelism_threads={processors}"
    env = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True)
    return [np.array([float.fromhex(v) for v in x]) for x in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.thorough
def test_processes_repeat_bit_for_bit_and_threads_change_rounding_only():
    one, two, again = on(1), on(2), on(2)
    for a, b, c in zip(one, two, again, strict=True):
        np.testing.assert_array_equal(b, c)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(not X64, reason="rounding of float32 is larger")
@pytest.mark.parametrize("name", sampled(["momentum", "nesterov", "sam", "schedule-free-sgd", "em"], ["momentum"]))
def test_jit_is_eager(name):
    problem, method, stop = posed(name, quartic), solver(name), tw.Never()

    def ten(x0):
        carry = tw.start(problem, method, x0, stop)
        return tw.iterate(problem, method, carry, stop, jax.random.key(0), capacity=10)[0].state.x

    x0 = jnp.asarray(START)
    with jax.disable_jit():
        eager = ten(x0)
    np.testing.assert_allclose(eager, jax.jit(ten)(x0), rtol=1e-12)


def test_a_second_run_on_one_history_is_refused(tmp_path):
    file, begun, go_on = tmp_path / "history.csv", threading.Event(), threading.Event()

    def wait(event):
        begun.set()
        go_on.wait(60)

    first = [tw.History(file), tw.Every(1, wait)]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(tw.minimize, quartic, START, tw.SGD(0.01), stop=tw.Steps(3), callbacks=first)
        assert begun.wait(60)
        try:
            with pytest.raises(ValueError, match=r"history.csv' is being written by another run: name another file"):
                tw.minimize(quartic, START, tw.SGD(0.01), stop=tw.Steps(3), callbacks=[tw.History(file)])
        finally:
            go_on.set()
        assert running.result(60).steps == 3
    assert [line.split(",")[0] for line in file.read_text().splitlines()] == ["step", "0", "1", "2", "3"]
    tw.minimize(quartic, START, tw.SGD(0.01), stop=tw.Steps(2), callbacks=[tw.History(file)])
    assert len(file.read_text().splitlines()) == 4, "it was given back"
