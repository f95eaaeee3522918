"""Vector algebra on trees, against NumPy on one long vector."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import EPS, X64, examples
from thalweg.core import tree

WIDEST = np.float64 if X64 else np.float32
TINY, HUGE = (1e-300, 1e300) if X64 else (1e-36, 1e36)
numbers = st.floats(-100, 100, width=32, allow_subnormal=False)
SHAPES = [(), (2, 2), (0, 4)]
DTYPES = [np.float32, WIDEST, ml_dtypes.bfloat16]


@st.composite
def trees(draw, count: int = 1):
    """Trees of one structure with leaves of several shapes and dtypes, None among them."""
    chosen = draw(st.lists(st.tuples(st.sampled_from(SHAPES), st.sampled_from(DTYPES)), min_size=1, max_size=3))

    def one():
        leaves = []
        for shape, dtype in chosen:
            size = int(np.prod(shape))
            values = draw(st.lists(numbers, min_size=size, max_size=size))
            leaves.append(jnp.asarray(np.asarray(values, float).reshape(shape).astype(dtype)))
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


@settings(max_examples=examples(30))  # every new shape compiles
@given(trees(2))
def test_inner_product_and_norms(pair):
    a, b = pair
    scale = np.abs(flat(a)) @ np.abs(flat(b)) + 1e-30
    # Leaves are widened to float32 at least before they are multiplied.
    coarse = float(np.finfo(np.float32).eps) if tree.common_dtype(a, b) == np.float32 else EPS
    assert abs(float(tree.dot(a, b)) - flat(a) @ flat(b)) <= 100 * coarse * scale
    assert float(tree.norm(a)) == pytest.approx(np.linalg.norm(flat(a)), rel=100 * coarse)
    assert float(tree.max_abs(a)) == np.abs(flat(a)).max(initial=0)
    assert tree.dot(a, b).dtype == tree.norm(a).dtype == tree.common_dtype(a)


@settings(max_examples=examples(30))
@given(trees(2), numbers)
def test_linear_combinations_keep_the_first_trees_dtypes(pair, scale):
    x, d = pair
    for got, expected in (
        (tree.add(x, d), flat(x) + flat(d)),
        (tree.subtract(x, d), flat(x) - flat(d)),
        (tree.axpy(scale, d, x), flat(x) + scale * flat(d)),
        (tree.scaled(scale, x), scale * flat(x)),
    ):
        assert jax.tree.structure(got) == jax.tree.structure(x)
        assert dtypes(got) == dtypes(x)
        size = np.abs(flat(x)) + (1 + abs(scale)) * np.abs(flat(d)) + abs(scale) * np.abs(flat(x))
        assert np.all(np.abs(flat(got) - expected) <= 4 * rounding(x) * size + 1e-30)


@settings(max_examples=examples(30))
@given(trees(2), st.booleans())
def test_select_and_zeros(pair, first):
    a, b = pair
    chosen = tree.select(jnp.asarray(first), a, b)
    np.testing.assert_array_equal(flat(chosen), flat(a if first else b))
    assert dtypes(chosen) == dtypes(a)
    assert not np.any(flat(tree.zeros_like(a)))


@settings(max_examples=examples(30))
@given(trees())
def test_ravel_and_unravel_are_inverse(single):
    (a,) = single
    vector = tree.ravel(a)
    np.testing.assert_array_equal(np.asarray(vector, np.float64), flat(a))
    assert vector.dtype == tree.common_dtype(a)
    back = tree.unravel(vector, a)
    assert jax.tree.structure(back) == jax.tree.structure(a)
    assert [leaf.shape for leaf in jax.tree.leaves(back)] == [leaf.shape for leaf in jax.tree.leaves(a)]
    assert dtypes(back) == dtypes(a)
    np.testing.assert_array_equal(flat(back), flat(a))


@pytest.mark.parametrize("scale", [TINY, HUGE])
def test_the_norm_neither_overflows_nor_underflows(scale):
    x = {"a": jnp.asarray([3.0], WIDEST) * scale, "b": jnp.asarray(4.0, WIDEST) * scale}
    assert float(tree.norm(x)) == pytest.approx(5 * scale, rel=10 * EPS, abs=0)


def test_the_norm_of_strange_trees():
    assert float(tree.norm({})) == 0.0
    assert float(tree.norm(jnp.zeros(3))) == 0.0
    assert np.isnan(tree.norm(jnp.asarray([1.0, jnp.nan])))
    assert float(tree.norm(jnp.asarray([1.0, -jnp.inf]))) == np.inf
    assert np.isnan(tree.max_abs((jnp.zeros(2), jnp.asarray(jnp.nan))))


def test_many_narrow_entries_do_not_lose_the_sum():
    """In bfloat16 itself a sum of ones stops growing at 256."""
    ones = jnp.ones(5000, jnp.bfloat16)
    assert float(tree.dot(ones, ones)) == 5000.0
    assert float(tree.norm(ones)) == pytest.approx(5000**0.5, rel=1e-6)


def test_a_small_step_in_a_narrow_dtype_is_computed_wide():
    x = jnp.asarray([256.0], jnp.bfloat16)
    assert float(tree.axpy(jnp.asarray(0.1), jnp.asarray([20.0], jnp.bfloat16), x)[0]) == 258.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_all_finite(bad):
    good = {"a": jnp.ones(3), "n": jnp.arange(3), "half": jnp.ones(2, jnp.bfloat16), "key": jax.random.key(0)}
    assert bool(tree.all_finite(good))
    assert not bool(tree.all_finite(good | {"b": jnp.asarray([0.0, bad])}))
    assert not bool(tree.all_finite(good | {"b": jnp.asarray([0.0, bad], jnp.bfloat16)}))
    assert bool(tree.all_finite({}))
