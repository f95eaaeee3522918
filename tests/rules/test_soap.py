"""SOAP on matrices, tensors and stacks: bases, refreshes, axes too long for a basis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import assert_close, at_once, half_square, sampled, tol
from tests.rules.matrices import CLOSE, START, STEPS, WIDE, exactly, gradient, layers, mixed, path, regression
from tests.rules.updates import along, first, repeated
from tests.twins import soap

NUMBERS = {
    "plain": {"every": 1},
    "seldom": {"every": 3, "b1": 0.5, "b2": 0.9},
    "decay and epsilon": {"every": 2, "weight_decay": 0.5, "eps": 1e-2},
    "long rows": {"every": 2, "max_size": 3},
    "no basis": {"max_size": 2},
}


def twin_path(rule, start, loss):
    """Beside it."""
    names = ("learning_rate", "b1", "b2", "eps", "weight_decay", "every", "max_size")
    return soap.tensor(gradient(loss), start, STEPS, **{name: getattr(rule, name) for name in names})


@exactly
@pytest.mark.parametrize("case", sampled(NUMBERS, ["plain", "long rows"]))
def test_ten_steps_beside_the_twin(case):
    rule = tw.SOAP(0.1, **NUMBERS[case])
    expected = twin_path(rule, START, regression)
    np.testing.assert_allclose(path(rule, START, regression), expected, rtol=CLOSE, atol=CLOSE)


@pytest.mark.thorough
@exactly
def test_a_mixed_tree_is_its_parts():
    """A kernel of four axes has four bases; vectors and scalars none."""
    x0, rule = mixed(), tw.SOAP(0.1, every=2, eps=1e-4)
    got = path(rule, x0, half_square)
    for name in x0:
        start = x0[name]
        expected = twin_path(rule, start, half_square) if start.ndim > 1 else alone(rule, start)
        np.testing.assert_allclose(got[name], expected, rtol=CLOSE, atol=CLOSE)


def alone(rule, start):
    """A vector or a scalar: AdamW's path, one step late."""
    adam = tw.AdamW(rule.learning_rate, rule.b1, rule.b2, rule.eps, rule.weight_decay)
    late = path(adam, start, half_square, STEPS - 1)
    return np.concatenate([start[None], late])


@exactly
def test_without_bases_it_is_adamw_one_step_late():
    rule = tw.SOAP(0.1, max_size=2)
    adam = path(tw.AdamW(0.1, rule.b1, rule.b2, rule.eps, rule.weight_decay), START, regression)
    np.testing.assert_allclose(path(rule, START, regression)[1:], adam[:-1], rtol=1e-12)


def test_the_first_gradient_only_makes_the_bases():
    rule, x = tw.SOAP(0.1, b2=0.5), np.asarray(START, WIDE)
    g = gradient(regression)(x)
    update, state = jax.tree.map(np.asarray, at_once(first, rule, g, x))
    for leaf in (update, state.m, state.v):
        np.testing.assert_array_equal(leaf, 0)
    left, right = state.factors[0]
    assert_close([left[0], right[0]], [g @ g.T / 2, g.T @ g / 2], tol(1e-12, 1e-5))
    for factor, basis in zip(state.factors[0], state.bases[0], strict=True):
        diagonal = basis[0].T @ factor[0] @ basis[0]
        np.testing.assert_allclose(diagonal - np.diag(np.diag(diagonal)), 0, atol=1e-5)
        assert np.all(np.diff(np.diag(diagonal)) <= 1e-6), "largest first"


def test_the_bases_come_to_be_eigenvectors_and_stay_orthogonal():
    """Of a factor that stays the same, whatever the first gradient was."""
    rng = np.random.default_rng(5)
    x, once, then = (rng.normal(size=(4, 4)).astype(WIDE) for _ in range(3))
    state = at_once(along, tw.SOAP(0.0, every=1, b2=0.5), np.stack([once] + [then] * 80), x)[1]
    state = jax.tree.map(np.asarray, state)
    for factor, basis in zip(state.factors[0], state.bases[0], strict=True):
        np.testing.assert_allclose(basis[0].T @ basis[0], np.eye(4), atol=tol(1e-12, 1e-5))
        diagonal = basis[0].T @ factor[0] @ basis[0]
        top = np.abs(diagonal).max()
        np.testing.assert_allclose(diagonal - np.diag(np.diag(diagonal)), 0, atol=1e-3 * top)


@pytest.mark.thorough
def test_a_stack_is_its_items():
    x0, rule = mixed(2), tw.SOAP(0.1, every=2, eps=1e-2)
    stacked = path(tw.SOAP(0.1, every=2, eps=1e-2, stacked=1), x0, quartic_of_layers, 5)
    for layer, start in enumerate(layers(x0)):
        expected = path(rule, start, quartic_of_layers, 5)
        assert_close(jax.tree.map(lambda leaf, i=layer: leaf[:, i], stacked), expected, tol(1e-7, 1e-2))


def quartic_of_layers(x):
    """The same for every layer."""
    return sum(jnp.sum((leaf - 1) ** 4) for leaf in jax.tree.leaves(x))


def test_epsilon_stands_beside_the_corrected_mean():
    """Where it is large the second step is the gradient over it; the authors' would be shorter by sqrt(1 - b2)."""
    rule, x = tw.SOAP(1.0, b2=0.99, eps=1e6, weight_decay=0.0), np.asarray(START, WIDE)
    g = gradient(regression)(x)
    np.testing.assert_allclose(at_once(repeated, rule, g, x, 2)[0][1], -g / 1e6, rtol=1e-4, atol=1e-12)


def test_zero_gradients_empty_leaves_and_low_precision():
    x = {"w": np.ones((3, 2), jnp.bfloat16), "b": np.ones(2, WIDE), "empty": np.zeros((0, 2), WIDE), "none": None}
    rule, zeros = tw.SOAP(0.1, weight_decay=0.0), jax.tree.map(np.zeros_like, x)
    updates, state = at_once(repeated, rule, zeros, x, 3)
    update = jax.tree.map(lambda leaf: np.asarray(leaf)[-1], updates)
    assert jax.tree.map(lambda leaf: leaf.dtype, update) == jax.tree.map(lambda leaf: leaf.dtype, x)
    assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(update))
    assert {leaf.dtype for leaf in jax.tree.leaves((state.factors, state.bases))} == {jnp.dtype(jnp.float32)}
    with pytest.raises(ValueError, match=r"SOAP.update\(params=None\): this rule needs params"):
        rule.update(zeros, state)
