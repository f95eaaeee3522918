"""Decoupled decay: of which leaves, by how much, and what it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import X64, assert_close, assert_same, at_once, half_square, iterates, sampled
from tests.rules.matrices import walked
from tests.rules.updates import first

FLOAT = float if X64 else np.float32
CLOSE = 1e-12 if X64 else 5e-6
STEPS = 20
X0 = {
    "weight": np.linspace(-2.0, 3.0, 6, dtype=FLOAT).reshape(2, 3),
    "bias": np.asarray([4.0, -5.0], FLOAT),
    "scale": np.asarray(6.0, FLOAT),
}


def weight_and_scale(params):
    """By path, as a user might choose."""
    return jax.tree.map_with_path(lambda path, _: path[-1].key in ("weight", "scale"), params)


MASKS = {"all": None, "matrices": tw.matrices, "by path": weight_and_scale}


def path(rule: tw.Rule, loss=half_square, x0=X0) -> dict:
    """`x_0, ..., x_20`."""
    return iterates(tw.Problem(loss), tw.FirstOrder(rule), x0, STEPS)


@pytest.mark.parametrize("name", sampled(MASKS, ["by path"]))
def test_equals_optax_on_a_tree(name):
    mask = MASKS[name]
    with jax.numpy_dtype_promotion("standard"):
        expected = at_once(walked, optax.adamw(0.1, weight_decay=0.3, mask=mask), X0, half_square, STEPS)
    assert_close(path(tw.AdamW(0.1, weight_decay=0.3, mask=mask)), expected, CLOSE)


def test_a_leaf_that_is_masked_takes_the_steps_of_adam():
    adam, decayed = path(tw.Adam(0.1)), path(tw.AdamW(0.1, weight_decay=0.3, mask=tw.matrices))
    for name in X0:
        spared = name != "weight"
        assert np.allclose(adam[name], decayed[name], rtol=CLOSE, atol=0) == spared


def test_matrices_are_leaves_with_two_axes_or_more():
    tree = {"kernel": np.ones((3, 3, 2, 2)), "w": np.ones((1, 1)), "b": np.ones(3), "s": np.ones(()), "none": None}
    assert tw.matrices(tree) == {"kernel": True, "w": True, "b": False, "s": False, "none": None}


def test_a_mask_is_part_of_the_program_and_sees_only_the_variables():
    x0 = X0 | {"name": "fixed", "count": np.arange(4).reshape(2, 2)}
    problem = tw.Problem(lambda x: half_square({name: x[name] for name in X0}))
    result = tw.minimize(problem, x0, tw.AdamW(0.1, weight_decay=0.3, mask=tw.matrices), stop=tw.Steps(STEPS))
    expected = path(tw.AdamW(0.1, weight_decay=0.3, mask=tw.matrices))
    assert_close({name: result.x[name] for name in X0}, jax.tree.map(lambda leaf: leaf[-1], expected), CLOSE)


DECAY = 0.3


def penalized(x):
    """With half the squared norm."""
    return half_square(x) + DECAY / 2 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(x))


@pytest.mark.thorough
@pytest.mark.parametrize("rule", sampled(["sgd", "adam"], ["adam"]))
def test_decoupled_decay_is_an_l2_penalty_for_gradient_descent_and_not_for_adam(rule):
    decoupled, plain = {
        "sgd": (optax.chain(optax.add_decayed_weights(DECAY), tw.SGD(0.1).as_optax()), tw.SGD(0.1)),
        "adam": (tw.AdamW(0.1, weight_decay=DECAY), tw.Adam(0.1)),
    }[rule]

    got = tw.minimize(half_square, X0, decoupled, stop=tw.Steps(STEPS)).x
    expected = tw.minimize(penalized, X0, plain, stop=tw.Steps(STEPS)).x
    apart = max(np.abs(got[name] - expected[name]).max() for name in X0)
    assert apart <= 10 * CLOSE if rule == "sgd" else apart > 0.1


@pytest.mark.parametrize("decay", [0.5, 2.0])
def test_the_limit_is_the_minimum_in_a_box(decay):
    """Where the iterates converge, max |x| <= 1 / decay is their constraint; the minimum without it is 1."""
    rule = tw.AdamW(0.01, b2=0.9, eps=0.0, weight_decay=decay)
    result = tw.minimize(half_square, np.full(3, -0.5), rule, stop=tw.Steps(3000))
    np.testing.assert_allclose(result.x, min(1.0, 1 / decay), rtol=1e-3)


def test_the_parameters_are_needed():
    rule, grads = tw.AdamW(), {"a": np.ones(2)}
    with pytest.raises(
        ValueError, match=r"AdamW.update\(params=None\): this rule needs params; call update\(grads, state, params\)"
    ):
        rule.update(grads, rule.init(grads))


@pytest.mark.parametrize("mask", [None, tw.matrices])
@pytest.mark.parametrize("tree", [{}, None, {"none": None}])
def test_a_tree_without_leaves(tree, mask):
    rule = tw.AdamW(mask=mask)
    update, _ = rule.update(tree, rule.init(tree), tree)
    assert jax.tree.structure(update) == jax.tree.structure(tree)


def test_what_is_masked_is_not_multiplied():
    """0 times infinity is not a number."""
    x = {"w": np.ones((1, 1)), "b": np.asarray([-np.inf])}
    update, _ = at_once(first, tw.AdamW(0.1, weight_decay=0.5, mask=tw.matrices), jax.tree.map(np.zeros_like, x), x)
    np.testing.assert_array_equal(update["b"], 0.0)
    np.testing.assert_allclose(update["w"], -0.05, rtol=1e-6)


def test_low_precision_is_computed_in_float32_and_kept():
    """The sum of both parts is rounded once: 1 + 2^-8 x 1.5 is 1 in bfloat16 if the second part is rounded away."""
    x = {"a": np.full((2, 2), 3.0, jnp.bfloat16), "b": np.full(2, 3.0, jnp.bfloat16)}
    rule = tw.AdamW(1.0, eps=0.0, weight_decay=1 / 512, mask=tw.matrices)
    update, state = at_once(first, rule, jax.tree.map(np.ones_like, x), x)
    assert {leaf.dtype for leaf in jax.tree.leaves((update, state.m, state.v))} == {jnp.dtype(jnp.bfloat16)}
    exact = np.float32(-(1 + 3 / 512)).astype(jnp.bfloat16)
    np.testing.assert_array_equal(update["a"], np.full((2, 2), exact))
    np.testing.assert_array_equal(update["b"], -np.ones(2, jnp.bfloat16))
    assert float(np.asarray(update["a"])[0, 0]) != -1.0


def test_without_decay_it_is_adam():
    assert_same(path(tw.AdamW(0.1, weight_decay=0)), path(tw.Adam(0.1)))


STRUCTURE = "must return the parameters' tree with True or False in place of every leaf, but it returned"
BAD_MASKS = {
    "one bool": (lambda params: True, f"{STRUCTURE} a tree of another structure"),
    "fewer leaves": (lambda params: {"weight": True}, f"{STRUCTURE} a tree of another structure"),
    "arrays": (lambda params: jax.tree.map(lambda leaf: leaf > 0, params), f"{STRUCTURE} a leaf"),
    "numbers": (lambda params: jax.tree.map(jnp.ndim, params), f"{STRUCTURE} a leaf int"),
}


@pytest.mark.parametrize(("mask", "message"), BAD_MASKS.values(), ids=BAD_MASKS)
def test_a_mask_of_another_form_is_refused(mask, message):
    with pytest.raises(ValueError, match=rf"AdamW\(mask=.*\): mask {message}"):
        tw.minimize(half_square, X0, tw.AdamW(mask=mask), stop=tw.Steps(1))


BAD = {
    "decay": (lambda: tw.AdamW(weight_decay=-0.1), r"AdamW\(weight_decay=-0.1\).*>= 0"),
    "rate": (lambda: tw.AdamW(-1.0), "learning_rate=-1"),
    "b1": (lambda: tw.AdamW(b1=1.0), r"b1 must be in \[0, 1\)"),
    "tree": (lambda: tw.AdamW(mask={"a": True}), r"AdamW\(mask={'a': True}\): mask must be None or a function"),
    "word": (lambda: tw.AdamW(mask="matrices"), "for instance tw.matrices"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
