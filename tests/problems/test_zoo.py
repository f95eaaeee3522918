"""What the zoo says is known of its problems, checked against the problems themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import EPS
from thalweg.core.nonsmooth import Zero
from thalweg.core.optimality import optimality
from thalweg.core.oracle import Oracle
from thalweg.problems import JOBS, ZOO, himmelblau, lasso

KNOWN = {name: make() for name, make in ZOO.items()}
CONSTRAINED = [
    name
    for name, known in KNOWN.items()
    if known.problem.constrained and Oracle.GRADIENT in known.problem.offers(known.x0)
]
SMOOTH = [
    name
    for name, known in KNOWN.items()
    if isinstance(known.problem.nonsmooth, Zero)
    and Oracle.GRADIENT in known.problem.offers(known.x0)
    and name not in CONSTRAINED
]


def as_array(x):
    return jnp.asarray(x, jnp.result_type(float))


@pytest.mark.parametrize("name", ZOO)
def test_the_minimum_is_the_value_at_the_minimiser(name):
    known = ZOO[name]()
    if known.argmin is None:
        pytest.skip("only the value is known")
    value = float(known.problem.value(as_array(known.argmin)))
    assert value == pytest.approx(known.minimum, rel=100 * EPS, abs=100 * EPS)
    if float(known.problem.infeasibility(as_array(known.x0))) == 0:
        assert float(known.problem.value(as_array(known.x0))) > known.minimum


@pytest.mark.parametrize("name", SMOOTH)
def test_the_gradient_is_zero_at_the_minimiser(name):
    known = ZOO[name]()
    x = as_array([3.0, 2.0] if name == "himmelblau" else known.argmin)
    _, gradient = known.problem.objective.value_and_grad(x)
    assert float(jnp.abs(gradient).max()) <= 100 * EPS


@pytest.mark.parametrize("name", ZOO)
def test_the_constants_are_the_ends_of_the_spectrum(name):
    known = ZOO[name]()
    if np.isnan(known.smoothness):
        pytest.skip("no constant")
    curvature = np.linalg.eigvalsh(jax.hessian(known.problem.objective.value)(as_array(known.x0)))
    assert curvature[-1] == pytest.approx(known.smoothness, rel=1e3 * EPS)
    if name == "logistic":  # its curvature falls to the penalty's far from the data's hyperplane
        curvature = np.linalg.eigvalsh(jax.hessian(known.problem.objective.value)(as_array(1e3 * known.argmin)))
    assert curvature[0] == pytest.approx(known.convexity, rel=1e4 * EPS)


def test_himmelblau_has_four_minima_of_value_zero():
    minima = [(3, 2), (-2.805118086952745, 3.131312518250573), (-3.779310253377747, -3.283185991286170)]
    minima.append((3.584428340330492, -1.848126526964404))
    for point in minima:
        assert float(himmelblau().problem.value(as_array(point))) <= 1e4 * EPS**1.5


def test_the_minimiser_of_lasso_satisfies_its_optimality_conditions():
    """-gradient = weight * sign(x) where x is not 0, and is at most weight elsewhere."""
    known = lasso()
    x, weight = np.asarray(known.argmin), known.problem.nonsmooth.weight
    features, target = (np.asarray(part, float) for part in known.problem.objective.data)
    gradient = features.T @ (features @ x - target) / len(target)
    support = x != 0
    assert 0 < support.sum() < len(x)
    np.testing.assert_allclose(-gradient[support], weight * np.sign(x[support]), atol=1e3 * EPS)
    assert np.abs(gradient[~support]).max() <= 0.9 * weight + 1e3 * EPS


@pytest.mark.parametrize("name", CONSTRAINED)
def test_the_constrained_minimisers_are_kkt_points(name):
    known = ZOO[name]()
    x = as_array(known.argmin)
    assert float(known.problem.infeasibility(x)) <= 1e3 * EPS
    assert float(optimality(known.problem, x)) <= 1e3 * EPS


def test_every_problem_of_the_zoo_can_be_run_by_name():
    assert set(ZOO) < set(JOBS)
    assert all((make.__doc__ or "").splitlines()[0].endswith((".", ")")) for make in JOBS.values())
    assert not any("\\(" in (make.__doc__ or "").splitlines()[0] for make in JOBS.values())
