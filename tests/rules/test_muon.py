"""Muon on matrices, kernels and stacks; what Newton and Schulz make of singular values."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import assert_close, half_square, sampled, tol
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
from tests.twins import adamw, muon

NUMBERS = {
    "plain": {},
    "no look ahead": {"nesterov": False, "beta": 0.5},
    "rms": {"scale": "rms", "weight_decay": 0.3},
    "iterations": {"iterations": 2, "beta": 0.0, "outputs": "first"},
}


@exactly
@pytest.mark.parametrize("case", sampled(NUMBERS, ["rms", "iterations"]))
def test_ten_steps_beside_the_twin(case):
    numbers = NUMBERS[case]
    rule = tw.Muon(0.1, **numbers)
    turn = (lambda w: w) if rule.outputs == "first" else (lambda w: w.T)
    others = {name: value for name, value in numbers.items() if name != "outputs"}
    twin_numbers = {"learning_rate": 0.1, "beta": rule.beta} | others
    expected = muon.matrix(gradient(regression, turn, turn), turn(START), STEPS, **twin_numbers)
    np.testing.assert_allclose(path(rule, START, regression), [turn(w) for w in expected], rtol=CLOSE, atol=CLOSE)


def test_the_factor_counts_outputs_and_inputs():
    tall = np.random.default_rng(4).normal(size=(8, 2)).astype(WIDE)
    one = np.linalg.norm(one_update(tw.Muon(1.0), tall))
    four = np.linalg.norm(one_update(tw.Muon(1.0, outputs="first"), tall))
    np.testing.assert_allclose(four / one, 2.0, rtol=1e-5)
    rms = np.linalg.norm(one_update(tw.Muon(1.0, scale="rms"), tall))
    np.testing.assert_allclose(rms / one, 0.2 * np.sqrt(8), rtol=1e-5)


@exactly
def test_a_mixed_tree_is_its_parts():
    """HWIO is a matrix of O by H W I; what is no matrix takes AdamW's steps."""
    x0, rule = mixed(), tw.Muon(0.1, others=tw.AdamW(0.05, weight_decay=0.2))
    got = path(rule, x0, half_square)
    for name, rows in (("w", 4), ("kernel", 12)):
        shape = x0[name].shape
        fold, unfold = (lambda w, n=rows: w.reshape(n, -1).T), (lambda w, s=shape: w.T.reshape(s))
        expected = muon.matrix(gradient(half_square, fold, unfold), fold(x0[name]), STEPS, learning_rate=0.1, beta=0.95)
        np.testing.assert_allclose(got[name], [unfold(w) for w in expected], rtol=CLOSE, atol=CLOSE)
    grad = gradient(half_square)
    for name in ("bias", "scale"):
        numbers = {"learning_rate": 0.05, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.2, "mask": None}
        shape = x0[name].shape
        expected = adamw.run(
            lambda x, s=shape: (0.0, grad(x.reshape(s)).reshape(-1)),
            x0[name].reshape(-1),
            STEPS,
            **numbers,
        )
        np.testing.assert_allclose(got[name].reshape(len(expected), -1), expected, rtol=CLOSE, atol=CLOSE)


def test_a_stack_is_its_items():
    """A vector in every layer is no matrix; a kernel in every layer is one."""
    grads = mixed(2)
    stacked = one_update(tw.Muon(0.1, stacked=1), grads)
    for part, alone in zip(layers(grads), layers(stacked), strict=True):
        assert_close(alone, one_update(tw.Muon(0.1), part), tol(1e-12, 1e-5))


@pytest.mark.thorough
@exactly
@pytest.mark.parametrize("rms", sampled([None, 0.2], [0.2]))
def test_equals_optax_without_looking_ahead(rms):
    """With it, Optax gives the gradient another weight in the first steps."""
    numbers = {"beta": 0.9, "weight_decay": 0.1, "nesterov": False, "eps": 1e-13}
    theirs = optax.contrib.muon(0.1, adam_learning_rate=0.02, adam_b2=0.99, consistent_rms=rms, **numbers)
    others = tw.AdamW(0.02, 0.9, 0.99, 1e-13, 0.0)
    ours = tw.Muon(0.1, others=others, scale="rms" if rms else "original", **numbers)
    x0 = {"wide": START, "tall": START.T, "bias": START[0]}

    with jax.numpy_dtype_promotion("standard"):
        expected = path(theirs, x0, half_square)
    assert_close(path(ours, x0, half_square), expected, 1e-10)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("shape", sampled([(8, 8), (64, 16), (16, 64)], [(16, 64)]))
def test_the_update_is_near_the_polar_factor(shape, bfloat16):
    """The same singular vectors as by an SVD, and singular values in the band that the quintic promises."""
    grad = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    rule = tw.Muon(1.0, beta=0.0, outputs="first", bfloat16=bfloat16)
    update = np.asarray(-one_update(rule, grad), float) / np.sqrt(max(1, shape[0] / shape[1]))
    u, values, v = np.linalg.svd(grad.astype(float), full_matrices=False)
    assert values.min() > np.linalg.norm(values) / 500
    seen = u.T @ update @ v.T
    slack = 0.05 if bfloat16 else 1e-4
    np.testing.assert_allclose(seen - np.diag(np.diag(seen)), 0, atol=slack)
    assert np.all((np.diag(seen) > 0.68 - slack) & (np.diag(seen) < 1.21 + slack))
    polar = u @ v
    assert np.sum(polar * update) > 0.98 * np.linalg.norm(polar) * np.linalg.norm(update) - slack


def test_the_scale_of_the_loss_does_not_matter():
    grad = np.asarray(START, WIDE)
    expected = one_update(tw.Muon(), grad)
    for scale in (1e-5, 1e5):
        assert_close(one_update(tw.Muon(), grad * np.asarray(scale, WIDE)), expected, 1e-5)


def test_a_zero_gradient_is_no_accident():
    np.testing.assert_array_equal(one_update(tw.Muon(), np.zeros((3, 2))), 0)


def test_a_tree_without_matrices_or_with_empty_ones():
    grads = {"none": None, "empty": np.zeros((0, 3)), "flat": np.ones((2, 0)), "b": np.ones(2)}
    update = one_update(tw.Muon(), grads)
    assert jax.tree.structure(update) == jax.tree.structure(grads)
    assert np.all(update["b"] < 0)


def no_embedding(params):
    """Its rows are looked up, not multiplied."""
    return {name: name == "w" for name in params}


def test_a_mask_says_which_leaves_are_matrices():
    grads = {"w": np.asarray(START, WIDE), "embedding": np.asarray(START, WIDE)}
    update = one_update(tw.Muon(0.1, mask=no_embedding, others=tw.SGD(0.5)), grads)
    np.testing.assert_allclose(update["embedding"], -0.5 * START, rtol=1e-6)
    np.testing.assert_allclose(update["w"], one_update(tw.Muon(0.1), grads["w"]), rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match=r"Muon\(mask=.*False for a leaf of shape \(3,\), which is not a matrix"):
        tw.Muon(mask=lambda params: {name: True for name in params}).init({"w": np.ones((2, 2)), "b": np.ones(3)})


def test_the_rest_keeps_its_own_rate_and_is_asked_for_its_part():
    """The rate in the trace is the matrices'; a rule inside sees only its leaves."""
    x0 = {"w": np.zeros((2, 3), WIDE), "bias": np.zeros(3, WIDE)}
    others = tw.Partition({"bias": tw.SGD(0.01)})
    result = tw.minimize(half_square, x0, tw.Muon(tw.schedules.Cosine(0.1, 10), others=others), stop=tw.Steps(3))
    np.testing.assert_allclose(result.trace.step_size[0], 0.1, rtol=1e-6)
    alone = tw.minimize(half_square, x0["bias"], tw.SGD(0.01), stop=tw.Steps(3))
    assert_close(result.x["bias"], alone.x, 1e-6)


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_with_a_constant_rate_it_ends_within_a_step(rate):
    result = tw.minimize(half_square, START.astype(WIDE), tw.Muon(rate), stop=tw.Steps(round(40 / rate)))
    off = np.abs(result.x - 1).max() / rate
    assert 0.02 < off < 4


def test_matrices_of_one_shape_share_their_products():
    """Fifteen products of batches, for two leaves or forty, and for their transposes."""

    def products(count):
        x = [np.ones((3, 5))] * count + [np.ones((5, 3))] * count
        rule = tw.Muon()
        return str(jax.make_jaxpr(rule.update)(x, jax.eval_shape(rule.init, x), x)).count("dot_general[")

    assert products(1) == products(20) == 15


def test_low_precision_is_computed_in_float32_and_kept():
    grads = START.astype(jnp.bfloat16)
    update = one_update(tw.Muon(1.0), grads)
    assert update.dtype == jnp.bfloat16
    wide = one_update(tw.Muon(1.0), grads.astype(np.float32))
    np.testing.assert_array_equal(np.asarray(update, np.float32), np.asarray(wide.astype(jnp.bfloat16), np.float32))


BAD = {
    "rate": (lambda: tw.Muon(-1.0), r"Muon\(learning_rate=-1.0\)"),
    "beta": (lambda: tw.Muon(beta=1.0), r"beta must be in \[0, 1\)"),
    "muon eps": (lambda: tw.Muon(eps=0.0), "eps must be a finite number > 0"),
    "iterations": (lambda: tw.Muon(iterations=0), "iterations must be a whole number >= 1"),
    "muon stacked": (lambda: tw.Muon(stacked=-1), "stacked must be a whole number >= 0"),
    "scale": (lambda: tw.Muon(scale="moonlight"), "scale must be one of .original., .rms."),
    "outputs": (lambda: tw.Muon(outputs="rows"), 'outputs must be "last" .* or "first"'),
    "others": (lambda: tw.Muon(others=0.1), r"Muon\(others=0.1\): others must be a rule"),
    "mask": (lambda: tw.Muon(mask=True), "mask must be None or a function"),
    "nesterov": (lambda: tw.Muon(nesterov=1), "nesterov must be True or False"),
    "shampoo eps": (lambda: tw.Shampoo(0.1, eps=0.0), r"Shampoo\(eps=0.0\)"),
    "b2": (lambda: tw.Shampoo(0.1, b2=1.5), r"Shampoo\(b2=1.5\): b2 must be in \[0, 1\]"),
    "graft": (lambda: tw.Shampoo(0.1, graft="adam"), "graft must be one of .none., .sgd., .adagrad."),
    "every": (lambda: tw.Shampoo(0.1, every=0), "every must be a whole number >= 1"),
    "block": (lambda: tw.Shampoo(0.1, block_size=0), "block_size must be a whole number >= 1"),
    "soap b2": (lambda: tw.SOAP(b2=1.0), r"SOAP\(b2=1.0\): b2 must be in \[0, 1\)"),
    "size": (lambda: tw.SOAP(max_size=2.5), "max_size must be a whole number >= 1"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
