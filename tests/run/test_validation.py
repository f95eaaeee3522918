"""Validation: when it is measured, what it can stop, which point it keeps."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import at_once


def loss(p, batch):
    """The mean squared error of a line."""
    features, target = batch
    return jnp.mean((p[0] * features + p[1] - target) ** 2)


def problem(**parts):
    """Fit a line; the validation data lie elsewhere, so that fitting too long is worse."""
    x = np.linspace(-1.0, 1.0, 12)
    train = (x, 2.0 * x + 1.0)
    held_out = (x[:5], 1.2 * x[:5] + 0.6)
    return tw.Problem(loss, train, validation=held_out, **parts), np.zeros(2)


def held_out_value(p, result):
    """The loss on the validation data."""
    return float(at_once(loss, result.x, p.validation))


def test_validation_is_measured_on_schedule_and_at_the_end():
    p, x0 = problem()
    result = tw.minimize(p, x0, tw.SGD(0.05), stop=tw.Steps(25), validate_every=10)
    np.testing.assert_array_equal(result.validation.step, [0, 10, 20, 25])
    expected = held_out_value(p, result)
    assert result.validation.value[-1] == pytest.approx(expected, rel=1e-5)


def test_metrics_have_a_column_each():
    p, x0 = problem(metrics=lambda w, batch: {"slope": w[0]})
    result = tw.minimize(p, x0, tw.SGD(0.05), stop=tw.Steps(20), validate_every=5)
    assert result.validation.metrics["slope"][-1] == pytest.approx(float(result.x[0]), rel=1e-6)


def test_keep_best_returns_the_validated_point_with_the_lowest_value():
    p, x0 = problem()
    result = tw.minimize(p, x0, tw.SGD(0.05), stop=tw.Steps(200), validate_every=1, keep="best")
    lowest = int(np.argmin(result.validation.value))
    assert 0 < result.validation.step[lowest] < 200, "fitting longer must be worse for this test to mean anything"
    expected = held_out_value(p, result)
    assert expected == pytest.approx(float(result.validation.value[lowest]), rel=1e-5)


def test_the_last_point_may_be_the_best_one():
    p, x0 = problem(validation_loss=lambda w, batch: (w[1] - 1.0) ** 2)
    result = tw.minimize(p, x0, tw.SGD(0.01), stop=tw.Steps(13), validate_every=10, keep="best")
    np.testing.assert_array_equal(result.validation.step, [0, 10, 13])
    assert result.kept == 13, "the validation value still falls at the end"


def test_patience_stops_a_run_whose_validation_no_longer_improves():
    p, x0 = problem()
    result = tw.minimize(p, x0, tw.SGD(0.05), stop=tw.Patience(3) | tw.Steps(500), validate_every=5)
    assert result.status == tw.Status.STOPPED and isinstance(result.rule, tw.Patience)
    lowest = result.validation.step[int(np.argmin(result.validation.value))]
    assert lowest + 15 <= result.steps <= lowest + 16


def test_a_validation_loss_replaces_the_loss():
    p, x0 = problem(validation_loss=lambda w, batch: jnp.abs(w[0]))
    result = tw.minimize(p, x0, tw.SGD(0.05), stop=tw.Steps(10))
    assert result.validation.value[-1] == pytest.approx(abs(float(result.x[0])), rel=1e-6)


def test_metrics_must_be_numbers():
    p, x0 = problem(metrics=lambda w, batch: {"all": w})
    with pytest.raises(TypeError, match="metric 'all'"):
        tw.minimize(p, x0, tw.SGD(0.05), stop=tw.Steps(2))


def test_what_needs_validation_says_so():
    with pytest.raises(ValueError, match="Patience"):
        tw.minimize(lambda x: jnp.sum(x**2), jnp.ones(2), stop=tw.Patience(3))
    with pytest.raises(ValueError, match="metrics"):
        tw.Problem(lambda x: jnp.sum(x**2), metrics=lambda x, b: {})
