"""What is said of Adam: steps of about the rate or none, and a penalty that is not a decay."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, at_once, iterates
from tests.rules.updates import along

RATE = 0.01
pytestmark = pytest.mark.skipif(not X64, reason="bounds to the last digits")


def steps(grads: np.ndarray, **fields) -> np.ndarray:
    """The updates for a sequence of gradients, one entry each."""
    return np.asarray(at_once(along, tw.Adam(RATE, **fields), grads, grads[0])[0])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_gradients_of_one_sign_and_size_give_the_rate(scale):
    grads = scale * np.tile([1.0, -1.0], (200, 1))
    np.testing.assert_allclose(steps(grads, eps=0.0), RATE * np.tile([-1.0, 1.0], (200, 1)), rtol=1e-12)
    np.testing.assert_allclose(steps(grads), RATE * np.tile([-1.0, 1.0], (200, 1)), rtol=0.011)


def test_gradients_of_one_sign_give_nearly_the_rate_and_alternating_ones_nearly_nothing():
    size = np.random.default_rng(0).uniform(0.5, 1.5, size=(3000, 50))
    same = steps(size)[200:]
    assert np.all(same < 0)
    assert np.abs(same.mean() + RATE) < 0.05 * RATE
    alternating = steps(size * (-1.0) ** np.arange(3000)[:, None])[200:]
    assert np.abs(alternating).mean() < 0.1 * RATE
    exactly = steps(np.ones((3000, 1)) * (-1.0) ** np.arange(3000)[:, None])[200:]
    np.testing.assert_allclose(np.abs(exactly), RATE * 0.1 / 1.9, rtol=1e-3)  # (1 - b1) / (1 + b1)


def test_both_cases_of_section_2_1():
    """In units of the rate: (1 - b1) / sqrt(1 - b2) where 1 - b1 > sqrt(1 - b2), attained by the sparsest gradients.

    Otherwise about 1, attained by constant ones. The corrections for the start are gone after 4000 steps.
    """
    b1, b2 = 0.9, 0.999
    sparse = np.zeros((4000, 1))
    sparse[-1] = 1.0
    assert 1 - b1 > np.sqrt(1 - b2)
    last = np.abs(steps(sparse, b1=b1, b2=b2, eps=0.0)[-1, 0])
    assert last == pytest.approx(RATE * (1 - b1) / np.sqrt(1 - b2), rel=0.01)
    assert 1 - b1 < np.sqrt(1 - 0.9)
    assert np.abs(steps(sparse, b1=b1, b2=0.9, eps=0.0)[-1, 0]) < RATE
    assert np.abs(steps(np.ones((4000, 1)), b1=b1, b2=0.9)[-1, 0]) == pytest.approx(RATE, rel=1e-6)


@pytest.mark.parametrize(("b1", "b2"), [(0.9, 0.999), (0.9, 0.99), (0.5, 0.999)])
def test_the_largest_step_of_all(b1, b2):
    """By Cauchy and Schwarz (1 - b1) / sqrt((1 - b2) (1 - b1^2 / b2)) times the rate, where gradients grow by b2 / b1.

    That is more than the two cases of the paper, which are typical ones and no bounds for every sequence.
    """
    bound = RATE * (1 - b1) / np.sqrt((1 - b2) * (1 - b1**2 / b2))
    t = np.arange(1, 401)[:, None]
    corrected = bound * np.sqrt(1 - b2**t) / (1 - b1**t)
    rng = np.random.default_rng(0)
    wild = rng.standard_cauchy(size=(400, 200)) * (rng.random((400, 200)) < rng.random(200))
    assert np.all(np.abs(steps(wild, b1=b1, b2=b2)) <= corrected * (1 + 1e-12))
    growing = np.abs(steps((b2 / b1) ** (t - 400.0), b1=b1, b2=b2, eps=0.0))
    assert growing[-1, 0] == pytest.approx(corrected[-1, 0], rel=1e-3)
    assert bound > RATE * max(1.0, (1 - b1) / np.sqrt(1 - b2))


CURVATURES = np.asarray([100.0, 1.0])
MINIMUM = np.asarray([1.0, 1.0])
DECAY = 0.5


def badly_scaled(x):
    """Half of curvatures times squared distances."""
    return 0.5 * jnp.sum(jnp.asarray(CURVATURES) * (x - jnp.asarray(MINIMUM)) ** 2)


def path(rule, count):
    """The iterates."""
    return np.asarray(iterates(tw.Problem(badly_scaled), tw.FirstOrder(rule), np.asarray([3.0, 3.0]), count))


def both(rule, count):
    """Decoupled decay, and the penalty."""
    return (path(tw.WeightDecay(rule, DECAY, decoupled=form), count) for form in (True, False))


def test_decay_is_a_penalty_for_gradient_descent():
    """With the decay multiplied by the rate. Where it is not (x <- (1 - w) x), w = rate * DECAY."""
    rate = 0.005
    decoupled, coupled = both(tw.SGD(rate), 1500)
    np.testing.assert_allclose(decoupled, coupled, rtol=1e-12)
    np.testing.assert_allclose(coupled[-1], CURVATURES / (CURVATURES + DECAY), rtol=1e-3)
    x, w = np.asarray([3.0, 3.0]), rate * DECAY
    for y in decoupled:
        np.testing.assert_allclose(x, y, rtol=1e-10)
        x = (1 - w) * x - rate * CURVATURES * (x - MINIMUM)


def test_decay_is_not_a_penalty_for_adam():
    decoupled, coupled = both(tw.Adam(tw.schedules.Cosine(0.05, 4000)), 4000)
    np.testing.assert_allclose(decoupled[1] - coupled[1], -0.05 * DECAY * 3.0, rtol=1e-6)
    ridge = CURVATURES / (CURVATURES + DECAY)
    np.testing.assert_allclose(coupled[-1], ridge, rtol=1e-3)
    # Decoupled decay wins where the step it competes with is of the size of the rate, whatever the curvature.
    assert np.abs(decoupled[-1] - ridge).max() > 0.05, decoupled[-1]
