"""Shampoo on matrices, tensors and stacks: blocks, amortized roots, grafting, what no factor may do."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import assert_close, at_once, half_square, sampled, tol
from tests.rules.matrices import (
    CLOSE,
    START,
    STEPS,
    WIDE,
    exactly,
    gradient,
    layers,
    mixed,
    one_update,
    path,
    regression,
)
from tests.rules.updates import first
from tests.twins import shampoo

NUMBERS = {
    "plain": {"every": 1},
    "seldom": {"every": 3, "b1": 0.0},
    "means": {"every": 2, "b2": 0.9, "eps": 1e-3},
    "by the gradient": {"graft": "sgd", "every": 4},
    "by the diagonal": {"graft": "adagrad", "every": 1, "b2": 0.8},
}


def twin_path(rule, start, loss):
    """Beside it."""
    names = ("learning_rate", "b1", "b2", "eps", "every", "graft")
    return shampoo.tensor(gradient(loss), start, STEPS, **{name: getattr(rule, name) for name in names})


@exactly
@pytest.mark.parametrize("case", sampled(NUMBERS, ["plain", "seldom", "by the diagonal"]))
def test_ten_steps_beside_the_twin(case):
    rule = tw.Shampoo(0.1, **NUMBERS[case])
    expected = twin_path(rule, START, regression)
    np.testing.assert_allclose(path(rule, START, regression), expected, rtol=CLOSE, atol=CLOSE)


@exactly
@pytest.mark.parametrize("graft", sampled(["none", "adagrad"], ["none"]))
def test_a_mixed_tree_is_its_parts(graft):
    """A kernel of four axes has four factors, with the exponent -1/8; vectors and scalars have the diagonal."""
    x0, rule = mixed(), tw.Shampoo(0.1, every=2, graft=graft)
    got = path(rule, x0, half_square)
    for name in ("w", "kernel"):
        np.testing.assert_allclose(got[name], twin_path(rule, x0[name], half_square), rtol=CLOSE, atol=CLOSE)
    numbers = {"learning_rate": 0.1, "b1": 0.9, "b2": 1.0, "eps": 1e-6, "graft": graft}
    for name in ("bias", "scale"):
        shape = x0[name].shape
        grad = gradient(half_square, np.ravel, lambda x, s=shape: x.reshape(s))
        rest = {"every": 2, "block_size": 1024, "stacked": 0}
        expected = shampoo.run(lambda x, g=grad: (0.0, g(x)), x0[name].reshape(-1), STEPS, **numbers, **rest)
        np.testing.assert_allclose(got[name].reshape(len(expected), -1), expected, rtol=CLOSE, atol=CLOSE)


@exactly
def test_blocks_are_parameters_of_their_own():
    """(5, 4) in blocks of 2: five rows are cut into 2, 2 and 1, and the zeros that fill the last change nothing."""
    x0 = np.random.default_rng(3).normal(size=(5, 4))

    def loss(x):
        """Not a sum over blocks."""
        return jnp.sum((jnp.asarray(np.linspace(-1, 1, 15).reshape(3, 5)) @ x - 1) ** 2)

    rule = tw.Shampoo(0.1, 0.0, every=1, block_size=2)
    assert [factor.shape for factor in jax.eval_shape(rule.init, x0).factors[0]] == [(6, 2, 2), (6, 2, 2)]
    xs, totals, grad = path(rule, x0, loss, 3), {}, gradient(loss)
    for x, update in zip(xs, np.diff(xs, axis=0), strict=False):
        g = grad(x)
        for rows in (slice(0, 2), slice(2, 4), slice(4, 5)):
            for columns in (slice(0, 2), slice(2, 4)):
                block, at = g[rows, columns], (rows.start, columns.start)
                left, right = totals.get(at, (0, 0))
                left, right = totals[at] = left + block @ block.T, right + block.T @ block
                expected = shampoo.inverse_root(left, 4, 1e-6) @ block @ shampoo.inverse_root(right, 4, 1e-6)
                np.testing.assert_allclose(update[rows, columns], -0.1 * expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("graft", sampled(["none", "sgd", "adagrad"], ["adagrad"]))
def test_a_stack_is_its_items(graft):
    """Vectors and scalars too: the largest entry and the length are those of one layer."""
    grads = mixed(2)
    stacked = one_update(tw.Shampoo(0.1, graft=graft, stacked=1), grads)
    for part, alone in zip(layers(grads), layers(stacked), strict=True):
        assert_close(alone, one_update(tw.Shampoo(0.1, graft=graft), part), tol(1e-8, 1e-3))


def test_one_step_is_the_polar_factor_times_the_rate():
    """Without memory and with a full-rank gradient, the two inverse fourth roots leave the singular vectors alone."""
    update = one_update(tw.Shampoo(0.5, 0.0, eps=1e-7), np.asarray(START, WIDE))
    u, _, v = np.linalg.svd(START, full_matrices=False)
    np.testing.assert_allclose(update, -0.5 * u @ v, atol=1e-4)


@pytest.mark.parametrize("graft", ["sgd", "adagrad"])
def test_a_grafted_step_has_the_other_steps_length(graft):
    grads = {"w": np.asarray(START, WIDE), "b": np.asarray(START[0], WIDE)}
    update = one_update(tw.Shampoo(1.0, 0.0, graft=graft), grads)
    for name, leaf in grads.items():
        length = np.linalg.norm(leaf) if graft == "sgd" else np.sqrt(leaf.size)
        np.testing.assert_allclose(np.linalg.norm(update[name]), length, rtol=1e-3)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_unit_of_the_loss_does_not_matter(scale):
    """Epsilon is relative."""
    grads = {"w": np.asarray(START, WIDE), "b": np.asarray(START[0], WIDE)}
    scaled = jax.tree.map(lambda g: g * np.asarray(scale, WIDE), grads)
    rule = tw.Shampoo(1.0, eps=1e-3)
    assert_close(one_update(rule, scaled), one_update(rule, grads), tol(1e-8, 1e-4))


def test_roots_stay_between_their_turns():
    """Once in six steps, and before that at the second and the fourth."""
    x = np.asarray(START, WIDE)
    grads = gradient(regression)(x) + np.arange(8, dtype=WIDE).reshape(-1, 1, 1)
    roots = np.asarray(at_once(roots_along, tw.Shampoo(0.1, every=6), grads, x))
    turns = [not np.array_equal(before, after) for before, after in itertools.pairwise(roots)]
    assert turns == [True, True, False, True, False, False, True, False]


def roots_along(rule, grads, x):
    """The first factor's root at the start and after each gradient."""

    def one(state, g):
        after = rule.update(g, state, x)[1]
        return after, after.roots[0][0]

    start = rule.init(x)
    return jnp.concatenate([start.roots[0][0][None], jax.lax.scan(one, start, grads)[1]])


def test_a_zero_gradient_and_empty_leaves_are_no_accident():
    grads = {"w": np.zeros((3, 2)), "b": np.zeros(2), "empty": np.zeros((0, 2)), "none": None, "s": np.zeros(())}
    for graft in ("none", "sgd", "adagrad"):
        update = one_update(tw.Shampoo(1.0, graft=graft), grads)
        assert jax.tree.structure(update) == jax.tree.structure(grads)
        assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(update))


def test_sums_of_low_precision_are_kept_in_float32():
    x = {"w": np.ones((2, 2), jnp.bfloat16), "b": np.ones(2, jnp.bfloat16)}
    update, state = jax.eval_shape(functools.partial(first, tw.Shampoo(0.1)), x, x)
    assert {leaf.dtype for leaf in jax.tree.leaves((update, state.m))} == {jnp.dtype(jnp.bfloat16)}
    sums = jax.tree.leaves((state.squares, state.factors, state.roots))
    assert {leaf.dtype for leaf in sums} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize(
    "rule", [tw.Shampoo(0.1), pytest.param(tw.SOAP(), marks=pytest.mark.thorough)], ids=["shampoo", "soap"]
)
def test_factors_of_one_size_share_their_decompositions(rule):
    """One eigendecomposition for all factors of a size, in a tree of three leaves or of sixty."""

    def decompositions(count):
        x = [np.ones((3, 5)), np.ones((5, 3)), np.ones((5, 5))] * count
        program = str(jax.make_jaxpr(rule.update)(x, jax.eval_shape(rule.init, x), x))
        return program.count("eigh["), program.count("geqrf")

    assert decompositions(1) == decompositions(20)
    assert decompositions(1)[0] == 2
