"""Vector algebra on trees, against NumPy on one long vector."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import EPS, X64, at_once, examples
from thalweg.core import tree

WIDEST = np.float64 if X64 else np.float32
TINY, HUGE = (1e-300, 1e300) if X64 else (1e-36, 1e36)
numbers = st.floats(-100, 100, width=32, allow_subnormal=False)
HALF = ml_dtypes.bfloat16
STRUCTURES = [
    [((), WIDEST)],
    [((2, 2), HALF)],
    [((2, 2), np.float32), ((), HALF)],
    [((0, 4), np.float32)],
    [((2, 2), WIDEST), ((0, 4), HALF), ((), np.float32)],
    [((), np.float32), ((2, 2), np.float32), ((0, 4), WIDEST)],
    [((2, 2), HALF), ((2, 2), WIDEST)],
]
"""Shapes and dtypes of the leaves, each shape in each dtype; every structure compiles once."""


@st.composite
def trees(draw, count: int = 1):
    """Trees of one structure with leaves of several shapes and dtypes, None among them."""
    chosen = draw(st.sampled_from(STRUCTURES))

    def one():
        leaves = []
        for shape, dtype in chosen:
            size = int(np.prod(shape))
            values = draw(st.lists(numbers, min_size=size, max_size=size))
            leaves.append(np.asarray(values, float).reshape(shape).astype(dtype))
        return {"first": leaves[0], "none": None, "rest": tuple(leaves[1:])}

    return tuple(one() for _ in range(count))


def flat(a) -> np.ndarray:
    """All entries in float64."""
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(a)])


def rounding(*trees_) -> float:
    """The coarsest rounding among the leaves' dtypes."""
    return max(float(jnp.finfo(leaf.dtype).eps) for leaf in jax.tree.leaves(trees_))


def dtypes(a) -> list:
    return [leaf.dtype for leaf in jax.tree.leaves(a)]


def algebra(a, b, scale, first):
    """All operations on two trees."""
    products = tree.dot(a, b), tree.norm(a), tree.max_abs(a)
    combinations = tree.add(a, b), tree.subtract(a, b), tree.axpy(scale, b, a), tree.scaled(scale, a)
    vector = tree.ravel(a)
    return products, combinations, (tree.select(first, a, b), tree.zeros_like(a)), (vector, tree.unravel(vector, a))


def results(a, b, scale=0.0, first=False):
    """What they give, by one program a structure."""
    return at_once(algebra, a, b, np.asarray(scale, WIDEST), np.asarray(first))


@settings(max_examples=examples(30))
@given(trees(2))
def test_inner_product_and_norms(pair):
    a, b = pair
    scale = np.abs(flat(a)) @ np.abs(flat(b)) + 1e-30
    # Leaves are widened to float32 at least before they are multiplied.
    coarse = float(np.finfo(np.float32).eps) if tree.common_dtype(a, b) == np.float32 else EPS
    dot, norm, largest = results(a, b)[0]
    assert abs(float(dot) - flat(a) @ flat(b)) <= 100 * coarse * scale
    assert float(norm) == pytest.approx(np.linalg.norm(flat(a)), rel=100 * coarse)
    assert float(largest) == np.abs(flat(a)).max(initial=0)
    assert dot.dtype == norm.dtype == tree.common_dtype(a)


@settings(max_examples=examples(30))
@given(trees(2), numbers)
def test_linear_combinations_keep_the_first_trees_dtypes(pair, scale):
    x, d = pair
    expectations = flat(x) + flat(d), flat(x) - flat(d), flat(x) + scale * flat(d), scale * flat(x)
    for got, expected in zip(results(x, d, scale)[1], expectations, strict=True):
        assert jax.tree.structure(got) == jax.tree.structure(x)
        assert dtypes(got) == dtypes(x)
        size = np.abs(flat(x)) + (1 + abs(scale)) * np.abs(flat(d)) + abs(scale) * np.abs(flat(x))
        assert np.all(np.abs(flat(got) - expected) <= 4 * rounding(x) * size + 1e-30)


@settings(max_examples=examples(30))
@given(trees(2), st.booleans())
def test_select_and_zeros(pair, first):
    a, b = pair
    chosen, zeros = results(a, b, first=first)[2]
    np.testing.assert_array_equal(flat(chosen), flat(a if first else b))
    assert dtypes(chosen) == dtypes(a)
    assert not np.any(flat(zeros))


@settings(max_examples=examples(30))
@given(trees())
def test_ravel_and_unravel_are_inverse(single):
    (a,) = single
    vector, back = results(a, a)[3]
    np.testing.assert_array_equal(np.asarray(vector, np.float64), flat(a))
    assert vector.dtype == tree.common_dtype(a)
    assert jax.tree.structure(back) == jax.tree.structure(a)
    assert [leaf.shape for leaf in jax.tree.leaves(back)] == [leaf.shape for leaf in jax.tree.leaves(a)]
    assert dtypes(back) == dtypes(a)
    np.testing.assert_array_equal(flat(back), flat(a))


@pytest.mark.parametrize("scale", [TINY, HUGE])
def test_the_norm_neither_overflows_nor_underflows(scale):
    x = {"a": np.asarray([3.0 * scale], WIDEST), "b": np.asarray(4.0 * scale, WIDEST)}
    assert float(at_once(tree.norm, x)) == pytest.approx(5 * scale, rel=10 * EPS, abs=0)


def test_the_norm_of_strange_trees():
    assert float(tree.norm({})) == 0.0
    assert float(at_once(tree.norm, np.zeros(2))) == 0.0
    assert np.isnan(at_once(tree.norm, np.asarray([1.0, np.nan])))
    assert float(at_once(tree.norm, np.asarray([1.0, -np.inf]))) == np.inf
    assert np.isnan(at_once(tree.max_abs, (np.zeros(2), np.asarray(np.nan))))


def test_many_narrow_entries_do_not_lose_the_sum():
    """In bfloat16 itself a sum of ones stops growing at 256."""
    ones = np.ones(5000, HALF)
    assert float(at_once(tree.dot, ones, ones)) == 5000.0
    assert float(at_once(tree.norm, ones)) == pytest.approx(5000**0.5, rel=1e-6)


def test_a_small_step_in_a_narrow_dtype_is_computed_wide():
    x = jnp.asarray([256.0], jnp.bfloat16)
    assert float(tree.axpy(jnp.asarray(0.1), jnp.asarray([20.0], jnp.bfloat16), x)[0]) == 258.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_all_finite(bad):
    good = {"a": np.ones(3), "n": np.arange(3), "half": np.ones(2, HALF), "key": jax.random.key(0)}
    assert bool(at_once(tree.all_finite, good))
    assert not bool(at_once(tree.all_finite, good | {"b": np.asarray([0.0, bad])}))
    assert not bool(at_once(tree.all_finite, good | {"b": np.asarray([0.0, bad], HALF)}))
    assert bool(tree.all_finite({}))
