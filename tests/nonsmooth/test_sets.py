"""Sets: the projection is the nearest point, and what is outside is said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import thalweg as tw
from tests.helpers import EPS, X64, at_once, half_square, sampled

DTYPE = jnp.result_type(float)
DTYPES = [jnp.bfloat16, jnp.float32, *([jnp.float64] if X64 else [])]
ONE = np.ones(())
points = arrays(np.float64, 5, elements=st.floats(-8, 8, width=16))
radii = st.floats(0.25, 4, width=16)
SETS = {"simplex": tw.Simplex, "ball": tw.L2Ball}


@jax.jit
def projected(region, x):
    """One program serves all radii."""
    return region.prox(x, jnp.ones(())), region.violation(x)


def project(region, x):
    return np.asarray(projected(region, np.asarray(x, DTYPE))[0], float)


def on_simplex(x: np.ndarray, radius: float) -> np.ndarray:
    """By bisection for the threshold, without sorting."""
    low, high = x.min() - radius, x.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(x - middle, 0).sum() > radius else (low, middle)
    return np.maximum(x - low, 0)


@given(points, radii)
def test_the_simplex_by_bisection(x, radius):
    np.testing.assert_allclose(project(tw.Simplex(radius), x), on_simplex(x, radius), atol=1e3 * EPS)


@given(points, radii, st.floats(-2, 2, width=16))
def test_the_ball_is_a_scaled_offset(x, radius, center):
    offset = x - center
    length = np.linalg.norm(offset)
    expected = center + offset * min(1, radius / length) if length else x
    np.testing.assert_allclose(project(tw.L2Ball(radius, center), x), expected, atol=1e3 * EPS)


@pytest.mark.parametrize("name", SETS)
@given(points, points, radii)
def test_projections_are_idempotent_and_non_expansive(name, x, y, radius):
    region = SETS[name](radius)
    p, q = project(region, x), project(region, y)
    np.testing.assert_allclose(project(region, p), p, atol=1e2 * EPS)
    assert np.linalg.norm(p - q) <= np.linalg.norm(x - y) + 1e2 * EPS
    assert float(projected(region, np.asarray(p, DTYPE))[1]) == 0


@pytest.mark.parametrize("name", SETS)
@given(points, points, radii)
def test_no_point_of_the_set_is_nearer(name, x, z, radius):
    """The variational inequality <x - P(x), z - P(x)> <= 0 for every z of the set."""
    region = SETS[name](radius)
    p, z = project(region, x), project(region, z)
    assert (x - p) @ (z - p) <= 1e3 * EPS


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("region", [tw.Simplex(2.0), tw.L2Ball(2.0, 1.0)], ids=SETS)
def test_trees_of_any_dtype_are_projected_together(region, dtype):
    x = {"a": np.asarray([3.0, -1.0], dtype), "b": (np.asarray(2.5, np.float32), np.zeros((0, 2), dtype), None)}
    p = at_once(nearest, region, x)
    assert jax.tree.structure(p) == jax.tree.structure(x)
    assert [leaf.dtype for leaf in jax.tree.leaves(p)] == [leaf.dtype for leaf in jax.tree.leaves(x)]
    flat = np.concatenate([np.asarray(leaf, float).ravel() for leaf in jax.tree.leaves(p)])
    expected = project(region, [3.0, -1.0, 2.5])
    np.testing.assert_allclose(flat, expected, atol=float(4 * jnp.finfo(dtype).eps) + 1e-6)
    (violation, value), (rest, _) = (at_once(measured, region, point) for point in (x, p))
    assert float(violation) == pytest.approx(np.abs(flat - [3.0, -1.0, 2.5]).max(), rel=0.02)
    assert float(rest) == 0, "rounding puts a point outside, and does not count"
    assert float(value) == 0


def nearest(region, x):
    """Rounded to its dtypes, before anything is measured."""
    return region.prox(x, jnp.asarray(1.0))


def measured(region, x):
    """How far outside it is, and its value."""
    return region.violation(x), region.value(x)


def test_a_common_shift_does_not_drown_the_threshold():
    np.testing.assert_allclose(project(tw.Simplex(), np.asarray([0.25, 0.5]) + 2.0**20), [0.375, 0.625], atol=0.07)


def test_a_center_may_be_a_tree_and_broadcasts():
    x = {"w": np.zeros((2, 3), DTYPE), "b": np.zeros(2, DTYPE)}
    region = tw.L2Ball(1.0, {"w": np.ones(3), "b": 0.0})
    p = at_once(nearest, region, x)
    np.testing.assert_allclose(p["w"], 1 - 1 / np.sqrt(6), rtol=10 * EPS)
    np.testing.assert_array_equal(p["b"], 0)
    with pytest.raises(ValueError, match="the structure of the center differs from that of x"):
        region.prox(np.zeros(3), ONE)
    with pytest.raises(ValueError, match=r"shape \(3,\) does not broadcast to x of shape \(2,\)"):
        tw.L2Ball(1.0, np.ones(3)).prox(np.zeros(2), ONE)


def test_nan_is_passed_on():
    for region in (tw.Simplex(), tw.L2Ball()):
        assert np.isnan(project(region, [np.nan, 1.0])).any()


@pytest.mark.parametrize("radius", [0, -1.0, np.nan, np.inf, True, "one"])
@pytest.mark.parametrize("make", SETS.values(), ids=SETS)
def test_radii_that_cannot_be(make, radius):
    with pytest.raises(ValueError, match="radius must be a finite number > 0"):
        make(radius)


@pytest.mark.parametrize("center", [np.nan, np.asarray([1.0, np.inf]), "origin", True])
def test_centers_that_cannot_be(center):
    with pytest.raises(ValueError, match="center must be"):
        tw.L2Ball(1.0, center)


def test_a_box_and_a_set_do_not_compose():
    with pytest.raises(ValueError, match="do not compose"):
        tw.Problem(half_square, nonsmooth=tw.Simplex(), bounds=tw.Bounds(0.0, 1.0))


METHODS = {"fista": tw.FISTA(), "projected": tw.ProjectedGradient(), "chosen": None}
IN_SIMPLEX = tw.Problem(half_square, nonsmooth=tw.Simplex())


@pytest.mark.parametrize("name", sampled(METHODS, ["projected", "chosen"]))
def test_a_start_outside_is_projected(name):
    result = tw.minimize(IN_SIMPLEX, np.full(3, 9.0), METHODS[name])
    np.testing.assert_allclose(result.x, on_simplex(np.asarray(result.x, float), 1.0), atol=1e3 * EPS)
    assert result.status is tw.Status.CONVERGED
    assert result.infeasibility == 0
    assert np.all(result.trace.infeasibility == 0)
    assert result.value == pytest.approx(float(at_once(half_square, result.x)), rel=100 * EPS)


def test_infeasibility_is_the_distance():
    problem = tw.Problem(half_square, nonsmooth=tw.L2Ball(1.0))
    assert problem.constrained
    x = np.asarray([3.0, 0.0], DTYPE)
    infeasibility, value, expected = at_once(taken, problem, x)
    assert float(infeasibility) == 2.0
    assert float(value) == float(expected)


def taken(problem, x):
    """Infeasibility and value, and the value of the smooth part alone."""
    return problem.infeasibility(x), problem.value(x), half_square(x)


def test_a_penalty_is_refused_with_the_method_that_takes_it():
    problem = tw.Problem(half_square, nonsmooth=tw.L1(0.1))
    with pytest.raises(ValueError, match=r"ProjectedGradient would ignore nonsmooth=L1.*fit: FISTA\."):
        tw.minimize(problem, np.ones(2), tw.ProjectedGradient())
    with pytest.raises(ValueError, match=r"LBFGS would ignore nonsmooth=Simplex.*fit: ProjectedGradient, FISTA"):
        tw.minimize(tw.Problem(half_square, nonsmooth=tw.Simplex()), np.ones(2), tw.LBFGS())
