"""EM beside its naive twin: parameters and likelihoods of ten steps."""

import jax
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, iterates
from tests.twins import em
from thalweg.problems import ZOO

STEPS = 10

pytestmark = pytest.mark.skipif(not X64, reason="rounding in float32 hides a wrong formula")


@pytest.mark.parametrize("regularization", [0.0, 1e-6, 0.3])
def test_ten_steps_beside_the_twin(regularization):
    known = ZOO["mixture"]()
    data = np.asarray(known.problem.objective.data)
    problem = tw.Problem(tw.GaussianMixture(2, regularization), data)
    expected, log_likelihoods = em.run(data, *known.x0, STEPS, regularization=regularization)
    got = iterates(problem, tw.EM(), known.x0, STEPS)
    for t, params in enumerate(expected):
        for mine, theirs in zip(jax.tree.map(lambda leaf, t=t: leaf[t], got), params, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12, err_msg=f"x_{t}")
    trace = tw.minimize(problem, known.x0, tw.EM(), stop=tw.Steps(STEPS)).trace
    np.testing.assert_allclose(-trace.value[:STEPS], log_likelihoods, rtol=1e-12)
    moved = [
        [np.abs(a - b).max() / max(1, np.abs(b).max()) for a, b in zip(*pair, strict=True)]
        for pair in zip(expected[1:], expected[:-1], strict=True)
    ]
    np.testing.assert_allclose(trace.optimality[:STEPS], np.max(moved, 1), rtol=1e-9)
