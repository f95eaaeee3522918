"""Boxes: projection is the nearest point, and what no box can be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, at_once, half_square, tol

DTYPE = jnp.result_type(float)
numbers = st.floats(-10, 10, width=32, allow_subnormal=False)
vectors = st.lists(numbers, min_size=3, max_size=3).map(lambda v: np.asarray(v, DTYPE))


@st.composite
def boxes(draw):
    """A box; some sides open, some entries fixed."""
    low = np.asarray(draw(st.lists(numbers | st.just(-np.inf), min_size=3, max_size=3)))
    high = np.asarray(draw(st.lists(numbers | st.just(np.inf), min_size=3, max_size=3)))
    return tw.Bounds(np.minimum(low, high), np.maximum(low, high))


def projected(box, x):
    """The nearest point, and its distance."""
    return box.project(x), box.violation(x)


@given(boxes(), vectors)
def test_projection_is_inside_nearest_and_idempotent(box, x):
    p, violation = map(np.asarray, at_once(projected, box, x))
    assert np.all((box.lower <= p) & (p <= box.upper))
    np.testing.assert_array_equal(p, np.clip(x, box.lower, box.upper))
    assert violation == np.abs(x - p).max()
    again, violation = at_once(projected, box, p)
    np.testing.assert_array_equal(again, p)
    assert float(violation) == 0


@given(boxes(), vectors, vectors)
def test_projection_does_not_expand(box, x, y):
    p, q = (np.asarray(at_once(projected, box, point)[0]) for point in (x, y))
    assert float((p - q) @ (p - q)) <= float((x - y) @ (p - q)) + 1e3 * EPS


def test_one_number_serves_all_leaves_and_dtypes():
    x = {"a": jnp.asarray([-2.0, 0.5], jnp.float32), "b": (jnp.asarray(3.0, jnp.bfloat16), None)}
    p = tw.Bounds(-1, 1).project(x)
    assert jax.tree.map(lambda leaf: leaf.dtype, p) == jax.tree.map(lambda leaf: leaf.dtype, x)
    np.testing.assert_array_equal(p["a"], [-1.0, 0.5])
    assert float(p["b"][0]) == 1.0


def test_each_side_may_be_a_tree_or_a_number():
    x = {"a": jnp.asarray([-2.0, 5.0], DTYPE), "b": jnp.asarray(-7.0, DTYPE)}
    p = tw.Bounds({"a": np.asarray([0.0, -1.0]), "b": -3.0}, 4.0).project(x)
    np.testing.assert_array_equal(p["a"], [0.0, 4.0])
    assert float(p["b"]) == -3.0


def test_limits_broadcast():
    x = jnp.asarray([[-2.0, 2.0], [0.5, 9.0]], DTYPE)
    np.testing.assert_array_equal(tw.Bounds(np.asarray([-1.0, 0.0]), 3.0).project(x), [[-1.0, 2.0], [0.5, 3.0]])


def test_the_default_is_open():
    x = jnp.asarray([-1e30, 1e30], DTYPE)
    np.testing.assert_array_equal(tw.Bounds().project(x), x)


REFUSED = {
    "swapped": (lambda: tw.Bounds(1.0, 0.0), ValueError, "no point lies between; swap the two"),
    "one entry": (lambda: tw.Bounds(np.asarray([0.0, 2.0]), 1.0), ValueError, "swap the two"),
    "a leaf": (lambda: tw.Bounds({"w": 0.0, "b": 3.0}, {"w": 1.0, "b": 2.0}), ValueError, "at b"),
    "a leaf against a number": (lambda: tw.Bounds({"b": 0.0, "w": 3.0}, 2.0), ValueError, "at w"),
    "NaN below": (lambda: tw.Bounds(np.nan, 0.0), ValueError, "NaN"),
    "NaN above": (lambda: tw.Bounds({"b": 0.0, "w": 0.0}, {"b": 1.0, "w": np.nan}), ValueError, "w holds NaN"),
    "pairs": (lambda: tw.Bounds([(0, 1), (0, 2)]), TypeError, "SciPy's older form"),
    "structure": (lambda: tw.Bounds({"a": 0.0}).project({"b": jnp.zeros(1)}), ValueError, "give one number, or a tree"),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_bounds_in_a_run():
    """Open sides, a fixed entry, an active side; the start lies outside."""
    box = tw.Bounds(np.asarray([-np.inf, 0.25, 2.0]), np.asarray([0.5, 0.25, np.inf]))
    result = tw.minimize(tw.Problem(half_square, bounds=box), np.full(3, -4.0))
    assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, [0.5, 0.25, 2.0], atol=tol(1e-6, 1e-3))
    assert result.infeasibility <= 10 * EPS


def test_bounds_and_l1_compose():
    """Separable: the prox of the sum is the projection of the prox."""
    problem = tw.Problem(half_square, nonsmooth=tw.L1(0.5), bounds=tw.Bounds(0.0, 0.6))
    result = tw.minimize(problem, np.zeros(3), tw.FISTA())
    np.testing.assert_allclose(result.x, [0.5, 0.6, 0.6], atol=tol(1e-6, 1e-3))


def test_a_start_far_outside_where_the_gradient_is_huge():
    """Poisson regression: at the start itself the gradient is 1e17 and no step would ever be long enough again."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 3)) + 1.0, rng.poisson(2.0, 100)

    def loss(w):
        eta = jnp.asarray(X, w.dtype) @ w
        return jnp.mean(jnp.exp(eta) - jnp.asarray(y, w.dtype) * eta)

    result = tw.minimize(tw.Problem(loss, bounds=tw.Bounds(0.0, 2.0)), np.full(3, 9.0), tw.FISTA())
    assert result.status == tw.Status.CONVERGED
    assert result.trace.infeasibility.max() <= 10 * EPS
