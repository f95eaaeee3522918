"""Row 13: data that a mixture cannot fit, or only just: one sentence, or the behavior stated here; never NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, at_once, compilations, sampled

FLOAT = np.dtype(jnp.result_type(float))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 2)).astype(FLOAT)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: tw.GaussianMixture(0), r"components=0.*whole number >= 1"),
        (lambda: tw.GaussianMixture(2.0), "components=2.0"),
        (lambda: tw.GaussianMixture(2, -1e-6), "regularization=-1e-06"),
        (lambda: tw.GaussianMixture(2, float("nan")), "regularization=nan"),
        (lambda: tw.Problem(tw.GaussianMixture(2)), "needs data"),
        (lambda: tw.Problem(tw.GaussianMixture(2), np.zeros((0, 2))), "data is empty"),
        (lambda: tw.Problem(tw.GaussianMixture(2), np.where(X > 2, np.nan, X) * np.nan), "is nan"),
        (lambda: fit(tw.GaussianMixture(2), X[:, 0]), r"shape \(20,\): of one feature write X\[:, None\]"),
        (lambda: fit(tw.GaussianMixture(2), (X, X)), r"shape \(20, 2\), \(20, 2\)"),
        (lambda: fit(tw.GaussianMixture(21), X), "components=21.*at least as many examples, and there are 20"),
        (lambda: fit(tw.GaussianMixture(2), X, drawn(X[:, :1], 2)), r"has \(2,\), \(2, 1\), \(2, 1, 1\)"),
        (lambda: fit(tw.GaussianMixture(2), X, method=tw.Adam()), "would ignore a latent-variable model.*fit: EM"),
        (lambda: fit(tw.GaussianMixture(2), X, batch_size=5), "same function at every step"),
        (lambda: tw.minimize(lambda x: jnp.sum(x**2), jnp.ones(2), tw.EM()), "EM needs a latent-variable model"),
    ],
)
def test_one_sentence_before_anything_is_compiled(call, match):
    with compilations() as programs, pytest.raises((ValueError, TypeError), match=match):
        call()
    assert [name for name in programs if "flat" in name] == []


def fit(model, data, x0=None, method=None, **options):
    """Twenty steps of EM."""
    return tw.minimize(tw.Problem(model, data), x0, method or tw.EM(), stop=tw.Steps(20), **options)


def drawn(data, components):
    """A start, without a program of its own."""
    d = data.shape[1]
    covariances = np.broadcast_to(np.eye(d, dtype=FLOAT), (components, d, d))
    return tw.Mixture(np.full(components, 1 / components, FLOAT), data[:components], covariances)


STRANGE = {
    "one sample": (X[:1], 1),
    "one sample for each component": (X[:3], 3),
    "duplicate rows": (np.repeat(X[:2], 5, axis=0), 4),
    "all rows alike": (np.ones((20, 2), FLOAT), 2),
    "a constant column": (np.concatenate([X, np.full((20, 1), 7.0, FLOAT)], 1), 2),
    "a column twice": (np.concatenate([1e3 * X, 1e3 * X[:, :1]], 1), 2),
    "columns of very different scale": (X * np.asarray([1e-4, 1e5], FLOAT), 2),
    "one component": (X, 1),
    "one feature": (X[:, :1], 2),
    "far apart": (np.concatenate([X[:10], X[:10] + (1e6 if X64 else 1e3)]).astype(FLOAT), 2),
    "ints": (np.arange(40).reshape(20, 2) ** 2, 2),
    "float32": (X.astype(np.float32), 2),
}
"""Where any shape shows it, 20 examples of two features and two components: they are one program."""
FIRST = ["one sample", "all rows alike", "columns of very different scale", "far apart", "a column twice", "ints"]


@pytest.mark.parametrize("case", sampled(STRANGE, FIRST))
def test_strange_data_give_finite_parameters(case):
    data, components = STRANGE[case]
    result = fit(tw.GaussianMixture(components), data)
    assert result.status is tw.Status.STEP_LIMIT
    assert np.isfinite(result.trace.value).all()
    assert all(np.isfinite(leaf).all() for leaf in result.x)
    assert np.sum(np.asarray(result.x.weights)) == pytest.approx(1.0, rel=1e-5)
    assert np.linalg.eigvalsh(np.asarray(result.x.covariances, float)).min() > 0
    assert result.x.means.dtype == (np.float32 if data.dtype == np.float32 else FLOAT)


@pytest.mark.thorough
def test_a_component_without_examples_keeps_its_place_with_weight_0():
    start = tw.Mixture(*(np.asarray(a, FLOAT) for a in ([0.5, 0.5], [[0, 0], [1e4, 0]], [np.eye(2), 2 * np.eye(2)])))
    result = fit(tw.GaussianMixture(2), X, start)
    assert float(result.x.weights[1]) == 0.0
    np.testing.assert_array_equal(result.x.means[1], start.means[1])
    np.testing.assert_allclose(result.x.covariances[1], start.covariances[1], rtol=1e-5)
    alone = fit(tw.GaussianMixture(1), X)
    np.testing.assert_allclose(result.x.means[0], alone.x.means[0], rtol=1e-4, atol=1e-6)


def test_a_component_on_one_example_has_the_regularization_as_variance():
    data = np.concatenate([X, [[50.0, 50.0]]]).astype(FLOAT)
    start = tw.Mixture(
        np.full(2, 0.5, FLOAT), np.asarray([[0, 0], [50, 50]], FLOAT), np.stack([np.eye(2, dtype=FLOAT)] * 2)
    )
    result = fit(tw.GaussianMixture(2, 1e-3), data, start)
    np.testing.assert_allclose(result.x.covariances[1], 1e-3 * np.eye(2), atol=1e-6)
    assert float(result.x.weights[1]) == pytest.approx(1 / 21, rel=1e-4)


@pytest.mark.skipif(not X64, reason="one dtype is enough")
def test_without_regularization_a_constant_column_is_a_failure_of_the_numbers():
    data = np.concatenate([X, np.zeros((20, 1))], 1)
    result = fit(tw.GaussianMixture(2, 0.0), data, on_failure="ignore")
    assert result.status is tw.Status.NONFINITE
    assert not result.ok


def drawn_by(model, seed, data):
    """Its own start; the seed is a float because those are traced."""
    return model.init(jax.random.key(seed.astype(int)), data)


def test_the_start_is_the_same_for_the_same_key_and_differs_for_another():
    model = tw.GaussianMixture(3)
    a, b, c = (at_once(drawn_by, model, seed, X) for seed in (1.0, 1.0, 2.0))
    np.testing.assert_array_equal(a.means, b.means)
    assert not np.array_equal(a.means, c.means)
    rows = {tuple(row) for row in np.round(X.astype(float), 4)}
    assert all(tuple(row) in rows for row in np.round(np.asarray(a.means, float), 4)), "means are examples"
