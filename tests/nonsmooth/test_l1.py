"""The prox of L1 is the minimizer that its definition names, and what convexity makes of a prox."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, X64, at_once
from thalweg.core.nonsmooth import Zero

DTYPE = jnp.result_type(float)
entries = st.floats(-10, 10, width=32, allow_subnormal=False)
vectors = st.lists(entries, min_size=3, max_size=3).map(lambda v: np.asarray(v, DTYPE))
weights = st.floats(0, 5, width=32, allow_subnormal=False)
steps = st.floats(0.015625, 4, width=32, allow_subnormal=False)


def value_of(region, x):
    """Of a nonsmooth part."""
    return region.value(x)


def prox_of(region, x, step):
    """Of a nonsmooth part."""
    return region.prox(x, step)


def prox(weight, x, step) -> np.ndarray:
    """That of L1, by one program for all numbers."""
    return np.asarray(at_once(prox_of, tw.L1(weight), x, np.asarray(step, DTYPE)))


def brute_force(x: float, strength: float) -> float:
    """The minimizer of strength |z| + (z - x)^2 / 2 among many points, refined twice."""
    low, high = -abs(x) - 1, abs(x) + 1
    for _ in range(6):
        grid = np.append(np.linspace(low, high, 201), 0.0)
        best = grid[np.argmin(strength * np.abs(grid) + 0.5 * (grid - x) ** 2)]
        width = (high - low) / 100
        low, high = best - width, best + width
    return best


@given(x=entries, weight=weights, step=steps)
def test_prox_is_the_argmin(x, weight, step):
    got = float(prox(weight, np.asarray([x] * 3, DTYPE), step)[0])
    # The value at the minimum is flat to second order, so brute force finds the point to the root of the rounding.
    assert got == pytest.approx(brute_force(x, weight * step), abs=1e-5 if X64 else 1e-2)


@given(x=vectors, y=vectors, weight=weights, step=steps)
def test_prox_does_not_expand(x, y, weight, step):
    p, q = (prox(weight, v, step) for v in (x, y))
    # Firmly: |p - q|^2 <= <x - y, p - q>.
    assert float((p - q) @ (p - q)) <= float((x - y) @ (p - q)) + 1e3 * EPS


@given(x=vectors, weight=weights, step=steps)
def test_the_residual_is_a_subgradient(x, weight, step):
    """The difference x - prox(x) lies in step * weight * [-1, 1], at the end of it where prox(x) is not 0."""
    p = prox(weight, x, step)
    slope = x - p
    assert np.all(np.abs(slope) <= step * weight * (1 + 10 * EPS) + 20 * EPS)
    np.testing.assert_allclose(slope[p != 0], step * weight * np.sign(p[p != 0]), rtol=1e-5, atol=40 * EPS)


def test_small_entries_are_exactly_zero():
    p = prox(0.5, np.asarray([0.999, -1.0, 1.5, -3.0], DTYPE), 2.0)
    np.testing.assert_allclose(p, [0.0, 0.0, 0.5, -2.0], atol=4 * EPS)
    assert np.count_nonzero(p) == 2


def test_value_of_a_tree():
    tree = {"a": np.asarray([1.0, -2.0], np.float32), "b": (np.asarray(-3.0, jnp.bfloat16), None)}
    value = at_once(value_of, tw.L1(0.5), tree)
    assert float(value) == 3.0
    assert value.dtype == jnp.float32
    near = at_once(prox_of, tw.L1(1), tree, np.asarray(1.0, DTYPE))
    assert jax.tree.map(lambda leaf: leaf.dtype, near) == jax.tree.map(lambda leaf: leaf.dtype, tree)
    np.testing.assert_array_equal(near["a"], [0.0, -1.0])


def test_many_bfloat16_entries_are_summed_in_float32():
    assert float(at_once(value_of, tw.L1(1.0), np.ones(1000, jnp.bfloat16))) == 1000.0


def test_nan_is_passed_on():
    assert np.isnan(prox(1.0, np.asarray([np.nan], DTYPE), 1.0))[0]


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf, "much", True, np.asarray([1.0, -1.0])])
def test_refused(weight):
    with pytest.raises(ValueError, match="weight must be a finite number >= 0"):
        tw.L1(weight)


def test_a_solution_has_the_zeros_that_the_theory_names():
    """At the weight |A'b|_inf / n and above, the lasso's solution is exactly 0."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(8, 3)), rng.normal(size=8)
    critical = np.abs(a.T @ b / 8).max()

    def loss(x, batch):
        return 0.5 * jnp.mean((batch[0] @ x - batch[1]) ** 2)

    def solve(weight):
        return tw.minimize(tw.Problem(loss, (a, b), nonsmooth=tw.L1(weight)), np.ones(3), tw.FISTA()).x

    np.testing.assert_array_equal(solve(1.001 * critical), 0.0)
    assert np.count_nonzero(solve(0.99 * critical)) == 1


def test_zero_is_no_nonsmooth_part():
    x = {"a": np.asarray([1.0, -2.0], DTYPE)}
    assert float(Zero().value(x)) == 0.0
    assert Zero().prox(x, np.asarray(3.0)) is x
