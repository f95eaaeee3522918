"""What the zoo says is known of its problems, checked against the problems themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import EPS, at_once, sampled, zoo
from thalweg.core.nonsmooth import Zero
from thalweg.core.optimality import optimality
from thalweg.core.oracle import Oracle
from thalweg.problems import JOBS, SURFACES, ZOO, ellipse, himmelblau, lasso

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
    return np.asarray(x, jnp.result_type(float))


def taken(problem, x):
    """Value and infeasibility."""
    return problem.value(x), problem.infeasibility(x)


def gradient(problem, x):
    """That of the smooth part."""
    return problem.objective.value_and_grad(x)[1]


def curvature(problem, x):
    """The Hessian of the smooth part."""
    return jax.hessian(problem.objective.value)(x)


@pytest.mark.parametrize("name", ZOO)
def test_the_minimum_is_the_value_at_the_minimizer(name):
    known = zoo(name)
    if known.argmin is None:
        pytest.skip("only the value is known")
    value, _ = at_once(taken, known.problem, as_array(known.argmin))
    assert float(value) == pytest.approx(known.minimum, rel=100 * EPS, abs=100 * EPS)
    value, infeasibility = at_once(taken, known.problem, as_array(known.x0))
    assert infeasibility > 0 or value > known.minimum


@pytest.mark.parametrize("name", SMOOTH)
def test_the_gradient_is_zero_at_the_minimizer(name):
    known = zoo(name)
    assert np.abs(at_once(gradient, known.problem, as_array(known.argmin))).max() <= 100 * EPS


@pytest.mark.parametrize("name", ZOO)
def test_the_constants_are_the_ends_of_the_spectrum(name):
    known = zoo(name)
    if np.isnan(known.smoothness):
        pytest.skip("no constant")
    spectrum = np.linalg.eigvalsh(at_once(curvature, known.problem, as_array(known.x0)))
    assert spectrum[-1] == pytest.approx(known.smoothness, rel=1e3 * EPS)
    if name == "logistic":  # its curvature falls to the penalty's far from the data's hyperplane
        spectrum = np.linalg.eigvalsh(at_once(curvature, known.problem, as_array(1e3 * known.argmin)))
    assert spectrum[0] == pytest.approx(known.convexity, rel=1e4 * EPS)


CRITICAL = {name: make() for name, make in {**ZOO, **SURFACES}.items() if make().critical}


@pytest.mark.parametrize("name", CRITICAL)
def test_critical_points_are_of_the_kind_that_is_named(name):
    """Zero gradient, as many negative eigenvalues as the index says, and a singular Hessian where it is degenerate."""
    known = CRITICAL[name]
    n = len(known.x0)
    value_and_curvature = jax.jit(lambda x: (jax.grad(known.problem.value)(x), jax.hessian(known.problem.value)(x)))
    for point, kind, index in known.critical:
        gradient, hessian = value_and_curvature(as_array(point))
        assert float(jnp.abs(gradient).max()) <= 1e3 * EPS
        curvature = np.linalg.eigvalsh(hessian)
        assert (curvature < -1e-6).sum() == index
        assert (np.abs(curvature) < 1e-6).any() == kind.startswith("degenerate")
        nondegenerate = {0: "minimum", n: "maximum"}.get(index, "saddle")
        assert kind in (nondegenerate, "degenerate minimum", "degenerate saddle")


def test_himmelblau_has_four_minima_of_value_zero():
    minima = himmelblau().critical
    assert len({point for point, _, _ in minima}) == 4
    for point, _, _ in minima:
        assert float(himmelblau().problem.value(as_array(point))) <= 1e4 * EPS**1.5


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_are_as_deep_as_is_said(name):
    known = SURFACES[name]()
    if known.argmin is not None:
        assert float(known.problem.value(as_array(known.argmin))) == pytest.approx(known.minimum, abs=10 * EPS)
    else:
        assert known.minimum == -np.inf
        far = [known.problem.value(as_array(np.resize(way, len(known.x0)))) for way in ([1e6, 0], [0, 1e6], [-1e6, 0])]
        assert float(min(far)) <= -1e5


def test_exact_steps_on_the_ellipse_take_its_rate():
    """One step from (gamma, 1), by hand: t = g'g / g'Ag."""
    gamma = 7.0
    known = ellipse(gamma)
    x, a = known.x0, np.array([1.0, gamma])
    g = a * x
    after = x - (g @ g) / (g @ (a * g)) * g
    rate = float(at_once(taken, known.problem, as_array(after))[0] / at_once(taken, known.problem, as_array(x))[0])
    assert rate == pytest.approx(((gamma - 1) / (gamma + 1)) ** 2, rel=100 * EPS)


def test_the_minimizer_of_lasso_satisfies_its_optimality_conditions():
    """-gradient = weight * sign(x) where x is not 0, and is at most weight elsewhere."""
    known = lasso()
    x, weight = np.asarray(known.argmin), known.problem.nonsmooth.weight
    features, target = (np.asarray(part, float) for part in known.problem.objective.data)
    gradient = features.T @ (features @ x - target) / len(target)
    support = x != 0
    assert 0 < support.sum() < len(x)
    np.testing.assert_allclose(-gradient[support], weight * np.sign(x[support]), atol=1e3 * EPS)
    assert np.abs(gradient[~support]).max() <= 0.9 * weight + 1e3 * EPS


@pytest.mark.parametrize("name", sampled(CONSTRAINED, ["hs21", "hs71", "box-quadratic"]))
def test_the_constrained_minimizers_are_kkt_points(name):
    known, x = zoo(name), as_array(zoo(name).argmin)
    assert float(at_once(taken, known.problem, x)[1]) <= 1e3 * EPS
    assert float(at_once(optimality, known.problem, x)) <= 1e3 * EPS


def test_every_problem_of_the_zoo_can_be_run_by_name():
    assert set(ZOO) < set(JOBS)
    assert all((make.__doc__ or "").splitlines()[0].endswith((".", ")")) for make in JOBS.values())
    assert not any("\\(" in (make.__doc__ or "").splitlines()[0] for make in JOBS.values())
