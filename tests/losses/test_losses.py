"""Losses against their formulas, written out naively."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import EPS, at_once
from thalweg.losses import accuracy, cross_entropy, mean_squared_error

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 4))
LABELS = RNG.integers(0, 4, 7)


value_and_gradient = jax.value_and_grad(cross_entropy)


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(-1, keepdims=True)


def test_cross_entropy_is_the_mean_negative_log_probability():
    naive = np.mean([-np.log(softmax(z)[y]) for z, y in zip(LOGITS, LABELS, strict=True)])
    assert float(at_once(cross_entropy, LOGITS, LABELS)) == pytest.approx(naive, rel=20 * EPS)


def test_its_gradient_is_probability_minus_indicator():
    gradient = at_once(value_and_gradient, LOGITS, LABELS)[1]
    np.testing.assert_allclose(gradient, (softmax(LOGITS) - np.eye(4)[LABELS]) / 7, atol=20 * EPS)


@pytest.mark.parametrize("shift", [0.0, 1000.0, -1000.0])
def test_large_logits_do_not_overflow(shift):
    """exp(1000) is infinite in every dtype here; the answer is that of [0, -10, -20]."""
    logits = np.asarray([[0.0, -10.0, -20.0]]) + shift
    expected = np.log(np.exp([0, -10, -20]).sum()) + np.array([0, 10, 20])
    for label in range(3):
        value, gradient = at_once(value_and_gradient, logits, np.asarray([label]))
        assert float(value) == pytest.approx(expected[label], rel=1e-6, abs=2000 * EPS)
        assert np.isfinite(gradient).all()


def test_a_ruled_out_class_costs_nothing():
    value, gradient = at_once(value_and_gradient, np.asarray([[0.0, 0.0, -np.inf]]), np.asarray([0]))
    assert float(value) == pytest.approx(np.log(2), rel=20 * EPS)
    assert np.isfinite(gradient).all()


def test_a_label_past_the_last_class_is_nan_not_a_number_that_looks_right():
    assert np.isnan(at_once(cross_entropy, LOGITS, np.full(7, 4)))


def test_labels_of_any_shape():
    logits = RNG.normal(size=(2, 3, 4))
    labels = RNG.integers(0, 4, (2, 3))
    flat = at_once(cross_entropy, logits.reshape(6, 4), labels.reshape(6))
    assert float(at_once(cross_entropy, logits, labels)) == pytest.approx(float(flat), rel=20 * EPS)


def test_accuracy_counts_the_largest_logit():
    naive = np.mean([np.argmax(z) == y for z, y in zip(LOGITS, LABELS, strict=True)])
    found = at_once(accuracy, LOGITS, LABELS)
    assert float(found) == pytest.approx(naive, rel=EPS)
    assert found.dtype == jnp.result_type(float)
    assert float(at_once(accuracy, np.zeros((3, 2)), np.asarray([0, 0, 1]))) == pytest.approx(2 / 3, rel=2 * EPS)


def test_mean_squared_error_is_over_every_entry():
    a, b = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))
    naive = sum((a[i, j] - b[i, j]) ** 2 for i in range(5) for j in range(3)) / 15
    assert float(at_once(mean_squared_error, a, b)) == pytest.approx(naive, rel=20 * EPS)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mean_squared_error(np.ones((4, 1)), np.ones(4)), r"shape \(4, 1\) and targets \(4,\)"),
        (lambda: cross_entropy(np.ones((4, 3)), np.ones((4, 3), int)), r"one-hot"),
        (lambda: cross_entropy(np.ones((4, 3)), np.ones(4)), r"give integers"),
        (lambda: accuracy(np.ones((4, 3)), np.ones(3, int)), r"accuracy: logits have shape \(4, 3\)"),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()
