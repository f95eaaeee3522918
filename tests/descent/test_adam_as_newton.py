"""Why Adam is like diagonal Newton: at the model's own data its second moment estimates the Hessian's diagonal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64

pytestmark = pytest.mark.skipif(not X64, reason="a statement about statistics, measured once")

EXAMPLES, FEATURES = 4000, 20


def loss(w, batch):
    """Mean logistic loss."""
    x, y = batch
    margin = x @ w
    return jnp.mean(jnp.logaddexp(0.0, margin) - y * margin)


hessian = jax.jit(jax.hessian(loss))


def measured(stretch):
    """The Hessian's diagonal, and Adam's `v` times the batch size, at `stretch` times the true weights."""
    rng = np.random.default_rng(0)
    scales = np.logspace(-1.5, 1.5, FEATURES)
    x = rng.normal(size=(EXAMPLES, FEATURES)) * scales
    w = rng.normal(size=FEATURES) * 2 / np.sqrt(FEATURES) / scales
    y = (rng.random(EXAMPLES) < 1 / (1 + np.exp(-x @ w))).astype(float)
    at = stretch * w
    frozen = tw.Adam(1e-12)  # stays where it is and gathers gradients
    result = tw.minimize(tw.Problem(loss, (x, y)), at, frozen, batch_size=16, stop=tw.Steps(8000))
    curvature = np.diagonal(hessian(at, (x, y)))
    return curvature, 16 * np.asarray(result.state.state.rule.v)


def test_the_second_moment_is_the_curvature_where_the_model_holds():
    """E g g' = H at the truth (Fisher), over six powers of ten; Adam divides by the square root of it."""
    curvature, v = measured(1.0)
    assert curvature.max() / curvature.min() > 1e5
    assert np.all(np.abs(v / curvature - 1) < 0.15)
    slope, _ = np.polyfit(np.log(1 / curvature), np.log(1 / np.sqrt(v)), 1)
    assert slope == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(np.log(1 / curvature), np.log(1 / np.sqrt(v)))[0, 1] > 0.999


def test_it_is_not_where_the_model_is_wrong():
    """At three times the true weights the residuals are too large for their own variance."""
    curvature, v = measured(3.0)
    assert np.median(v / curvature) > 1.5
