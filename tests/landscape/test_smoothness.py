"""The optimal step and the constant L, against problems on which they are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.faults.chosen import chosen
from tests.helpers import sampled, tol
from thalweg.problems import ZOO, quadratic

CLOSE = tol(1e-9, 1e-4)


def saddle(x):
    """Eigenvalues 2 and -2."""
    return x[0] ** 2 - x[1] ** 2


def test_the_optimal_step_of_a_quadratic():
    known = quadratic(4, 100.0)
    a = np.logspace(-2, 0, 4)
    best = tw.landscape.optimal_step(known.problem, known.x0)
    assert best.step == pytest.approx(np.sum(a**2) / np.sum(a**3), rel=CLOSE)
    assert best.worst == pytest.approx(1.0, rel=tol(1e-6, 1e-3))
    after = known.x0 - best.step * a * known.x0
    assert best.predicted == pytest.approx(float(known.problem.value(jnp.asarray(after))), rel=CLOSE)
    assert "= 1.038" in str(best) and "1/lambda_max = 1" in str(best)


def test_the_worst_direction_has_the_worst_step():
    known = quadratic(3)
    assert tw.landscape.optimal_step(known.problem, np.asarray([0.0, 0.0, 2.0])).step == pytest.approx(1.0)


def test_a_model_that_falls_for_ever_is_said():
    along = tw.landscape.optimal_step(saddle, np.asarray([0.1, 1.0]))
    assert np.isnan(along.step) and along.predicted == -np.inf
    assert "<= 0: the model is unbounded below" in str(along)
    assert along.worst == pytest.approx(0.5, rel=1e-3)
    cap = tw.landscape.optimal_step(lambda x: -jnp.sum(x**2), np.ones(2))
    assert np.isnan(cap.worst) and "no direction limits the step" in str(cap)
    assert "the gradient is 0" in str(tw.landscape.optimal_step(saddle, np.zeros(2)))


@pytest.mark.parametrize("problem", sampled(["quadratic", "least-squares", "logistic"], ["quadratic"]))
def test_the_estimate_is_a_lower_bound_near_the_truth(problem):
    known = ZOO[problem]()
    found = tw.landscape.smoothness(known.problem, known.x0)
    assert found.constant <= known.smoothness * (1 + CLOSE)
    assert found.constant >= 0.9 * known.smoothness
    assert (found.step, found.limit) == (pytest.approx(1 / found.constant), pytest.approx(2 / found.constant))
    assert tw.landscape.smoothness(known.problem, known.x0, known.smoothness).counterexample is None
    assert "was not refuted in 100 trials" in str(found)


def test_a_constant_that_is_too_small_is_refuted_by_a_pair():
    tree = {"a": np.zeros(2), "b": (np.zeros(()), None)}

    def quartic(t):
        return jnp.sum(t["a"] ** 4) + t["b"][0] ** 4

    found = tw.landscape.smoothness(quartic, tree, 1.0, radius=2.0, trials=50)
    z, y = found.counterexample
    assert jax.tree.structure(z) == jax.tree.structure(tree)
    z, y = (np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(end)]) for end in (z, y))
    bound = np.sum(z**4 + 4 * z**3 * (y - z) + 0.5 * (y - z) ** 2)
    assert np.sum(y**4) - bound == pytest.approx(found.excess, rel=1e-3)
    assert "is refuted by" in str(found)
    assert found.at_point == 0
    assert found.secant > 12, "within 2 of 0 the second derivative reaches 48"


def concave(x, _):
    return -jnp.sum(x**2)


def linear(x, _):
    return 2.0 * jnp.sum(x)


@pytest.mark.thorough
def test_concave_and_linear_functions():
    cap, slope = (chosen((concave, linear), fun) for fun in (concave, linear))
    assert tw.landscape.smoothness(cap, np.ones(2)).at_point == pytest.approx(2)
    assert "the function is linear" in str(tw.landscape.smoothness(slope, np.ones(2)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constant": 0.0}, "constant=0.0.*> 0"),
        ({"radius": -1.0}, "radius=-1.0"),
        ({"trials": 0}, "trials=0.*whole number >= 1"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tw.landscape.smoothness(saddle, np.ones(2), **options)
