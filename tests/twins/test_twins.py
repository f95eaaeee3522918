"""Every method takes ten steps beside its naive twin."""

import importlib
import inspect

import jax
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, iterates, numbers
from thalweg.problems import ZOO

STEPS = 10
CASES = [(name, problem) for name, row in tw.METHODS.items() for problem in row.solves]

pytestmark = pytest.mark.skipif(not X64, reason="rounding in float32 hides a wrong formula")


def oracles(problem: tw.Problem):
    """`(value_and_grad, prox)` in NumPy."""
    compiled = jax.jit(lambda x: problem.objective.value_and_grad(x))

    def value_and_grad(x):
        value, grad = compiled(x)
        return float(value), np.array(grad)

    return value_and_grad, lambda x, s: np.asarray(problem.prox(x, jax.numpy.asarray(s)))


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_ten_steps_beside_the_twin(name, problem):
    row, known = tw.METHODS[name], ZOO[problem]()
    twin = importlib.import_module(row.twin)
    value_and_grad, prox = oracles(known.problem)
    hyper = numbers(row.example(problem))
    if "prox" in inspect.signature(twin.run).parameters:
        hyper["prox"] = prox
    x0 = np.asarray(known.x0, float) + 0.25  # off the symmetric starts, so that no two entries share a path
    expected = twin.run(value_and_grad, x0, STEPS, **hyper)
    got = iterates(known.problem, row.solver(problem), x0, STEPS)
    assert len({x.tobytes() for x in expected}) == STEPS + 1, "the twin must move at every step"
    for t, (x, y) in enumerate(zip(got, expected, strict=True)):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12 * np.abs(y).max(), err_msg=f"x_{t}")
