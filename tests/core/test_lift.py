"""A formula for one array, lifted to trees of any structure, shape and dtype."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import X64, at_once, examples
from thalweg.core.rule import OptaxRule, at, is_optax, lift

WIDEST = np.float64 if X64 else np.float32
DTYPES = [np.float32, np.float16, ml_dtypes.bfloat16, WIDEST]
SHAPES = [(), (2,), (1, 3), (0,)]
leaves = st.tuples(st.sampled_from(SHAPES), st.sampled_from(DTYPES))
structures = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2).map(tuple) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)


def is_leaf(node) -> bool:
    return isinstance(node, tuple) and len(node) == 2 and isinstance(node[1], type)


def fill(structure, value: float):
    """The tree that a structure of (shape, dtype) describes."""
    return jax.tree.map(lambda leaf: np.full(leaf[0], value, leaf[1]), structure, is_leaf=is_leaf)


def formula(a, b, s):
    """Two results; the arithmetic must be wide."""
    assert a.dtype == b.dtype == s.dtype
    assert jnp.finfo(a.dtype).bits >= 32
    return a + s * b, a - 1


def lifted(first, second):
    """The formula on two trees."""
    return lift(formula, (first, second), 0.5)


@settings(max_examples=examples(30))  # every new shape compiles
@given(structures)
def test_every_result_has_the_structure_shapes_and_dtypes_of_its_tree(structure):
    first = fill(structure, 2.0)
    second = jax.tree.map(lambda leaf: np.full(leaf.shape, 3.0, WIDEST), first)
    total, less = at_once(lifted, first, second)
    for got, tree, expected in ((total, first, 3.5), (less, second, 1.0)):
        assert jax.tree.structure(got) == jax.tree.structure(tree)
        for leaf, like in zip(jax.tree.leaves(got), jax.tree.leaves(tree), strict=True):
            assert (leaf.shape, leaf.dtype) == (like.shape, like.dtype)
            np.testing.assert_array_equal(np.asarray(leaf, float), expected)


def test_other_trees_need_the_first_ones_structure():
    with pytest.raises(ValueError, match=r"structure|length|keys|arity|Expected"):
        lift(lambda a, b: (a + b,), ({"a": jnp.ones(2)}, {"b": jnp.ones(2)}))


@pytest.mark.parametrize("tree", [{}, None, {"none": None}])
@pytest.mark.parametrize("rule", [tw.SGD(0.1), tw.Adam(0.1)], ids=["sgd", "adam"])
def test_a_tree_without_leaves(rule, tree):
    """A group of parameters may be empty, in `optax.multi_transform` for instance."""
    update, _ = rule.update(tree, rule.init(tree), tree)
    assert jax.tree.structure(update) == jax.tree.structure(tree)


def test_scalars_are_narrowed_only_where_they_meet_a_leaf():
    """1 - 0.999 is 0 in bfloat16; the update must not notice."""
    rule, x = tw.Adam(0.5), np.ones(1, ml_dtypes.bfloat16)
    update, state = jax.jit(lambda x: rule.update(x, rule.init(x), x))(x)
    assert update.dtype == state.m.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(update, float), -0.5, rtol=1e-2)


@pytest.mark.parametrize("rule", [tw.SGD(0.1), tw.Adam(0.1)], ids=["sgd", "adam"])
def test_a_rule_keeps_every_dtype(rule):
    grads = {"a": jnp.ones(2, jnp.bfloat16), "b": (jnp.ones((), jnp.float32), None), "c": jnp.ones(0, WIDEST)}
    state = rule.init(grads)
    update, after = jax.jit(rule.update)(grads, state)
    assert jax.tree.map(lambda leaf: leaf.dtype, update) == jax.tree.map(lambda leaf: leaf.dtype, grads)
    assert jax.tree.map(lambda leaf: leaf.dtype, after) == jax.tree.map(lambda leaf: leaf.dtype, state)
    assert not any(leaf.weak_type for leaf in jax.tree.leaves((update, after)))


def test_a_rate_is_a_number_or_a_schedule():
    count = jnp.asarray(3, jnp.int32)
    assert float(at(0.25, count)) == 0.25
    assert float(at(lambda t: t, count)) == 3.0
    assert at(np.float32(0.5), count).dtype == jnp.result_type(float)


def test_optax_is_known_by_its_shape():
    optax = pytest.importorskip("optax")
    assert is_optax(optax.sgd(0.1))
    assert is_optax(optax.chain(optax.sgd(0.1)))
    assert not is_optax(tw.SGD(0.1))
    assert not is_optax((1, 2))
    assert np.isnan(OptaxRule(optax.sgd(0.1)).rate(()))
