"""Gaussian mixtures by EM: scikit-learn's numbers, a likelihood that rises, and starts of their own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture as Peer

import thalweg as tw
from tests.helpers import EPS, X64, at_once, compilations, examples, tol

IRIS = load_iris().data
FLOAT = jnp.result_type(float)


def cast(params: tw.Mixture) -> tw.Mixture:
    """In the float in use."""
    return tw.Mixture(*(np.asarray(leaf, FLOAT) for leaf in params))


def begin(x: np.ndarray, components: int, seed: int = 0) -> tw.Mixture:
    """Means at examples, everything else alike."""
    means = x[np.random.default_rng(seed).choice(len(x), components, replace=False)]
    covariance = np.atleast_2d(np.cov(x.T, bias=True)) + 1e-6 * np.eye(x.shape[1])
    return cast(tw.Mixture(np.full(components, 1 / components), means, np.stack([covariance] * components)))


def of_every_example(model, params, x):
    return model.log_likelihood(params, x), model.responsibilities(params, x)


@pytest.mark.skipif(not X64, reason="compares ten digits")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_the_parameters_are_scikit_learns_after_as_many_steps(offset):
    x, start, steps = IRIS + offset, begin(IRIS + offset, 3), 12
    peer = Peer(
        3,
        tol=0,
        reg_covar=1e-6,
        max_iter=steps,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(start.covariances),
    )
    peer.fit(x)
    problem = tw.Problem(tw.GaussianMixture(3), x)
    result = tw.minimize(problem, start, tw.EM(), stop=tw.Steps(steps))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-10 if not offset else 1e-6)
    close(result.x.weights, peer.weights_)
    close(result.x.means, peer.means_)
    close(result.x.covariances, peer.covariances_, atol=1e-10 if not offset else 1e-6)
    close(-result.value, peer.score(x))
    log_likelihood, responsibilities = at_once(of_every_example, problem.objective.model, result.x, x)
    close(log_likelihood, peer.score_samples(x), rtol=1e-6)
    close(responsibilities, peer.predict_proba(x), atol=1e-7)


@pytest.mark.thorough
def test_the_best_of_ten_starts_on_iris_is_the_known_optimum():
    result = tw.minimize(tw.Problem(tw.GaussianMixture(3), IRIS), restarts=10, stop=tw.GradNorm(1e-3) | tw.Steps(400))
    assert result.ok
    assert len(IRIS) * result.value == pytest.approx(180.1855, abs=tol(1e-2, 0.05))
    assert result.value == result.restarts.values.min()
    assert len(set(np.round(result.restarts.values, 6))) > 1, "the starts differ"
    assert "EM" in result.reason


@pytest.mark.thorough
def test_lane_zero_is_the_seeds_own_draw_and_a_given_start_goes_there():
    problem, stop = tw.Problem(tw.GaussianMixture(2), IRIS), tw.GradNorm(0.0) | tw.Steps(3)
    drawn, lanes = tw.minimize(problem, stop=stop, seed=5), tw.minimize(problem, stop=stop, seed=5, restarts=3)
    assert lanes.restarts.values[0] == pytest.approx(drawn.value, rel=1e3 * EPS)
    assert tw.minimize(problem, stop=stop, seed=6).value != drawn.value
    start = begin(IRIS, 2)
    given_lanes = tw.minimize(problem, start, stop=stop, seed=5, restarts=3)
    assert given_lanes.restarts.values[0] == pytest.approx(tw.minimize(problem, start, stop=stop).value, rel=1e3 * EPS)
    np.testing.assert_allclose(given_lanes.restarts.values[1:], lanes.restarts.values[1:], rtol=1e3 * EPS)


@pytest.mark.thorough
def test_lanes_may_end_in_different_chunks():
    """A lane that had ended before the last chunk used to have no last row."""
    result = tw.minimize(tw.Problem(tw.GaussianMixture(3), IRIS), restarts=10, stop=tw.GradNorm(1e-5) | tw.Steps(300))
    assert result.restarts.steps.min() <= 64 < result.restarts.steps.max()
    assert result.value == result.restarts.values.min()


@pytest.mark.thorough
def test_drawing_a_start_is_one_program():
    x = np.asarray(IRIS[:50], FLOAT)
    problem, other = tw.Problem(tw.GaussianMixture(2), x), tw.Problem(tw.GaussianMixture(2, 1e-3), x + 1)
    with compilations() as names:
        tw.minimize(problem, stop=tw.Steps(2))
    assert len(names) == 2, "the draw and the run"
    with compilations() as names:
        tw.minimize(other, stop=tw.Steps(2), seed=9)
    assert names == []


def test_the_certificate_is_how_far_a_step_moves():
    problem = tw.Problem(tw.GaussianMixture(2), IRIS)
    result = tw.minimize(problem, stop=tw.GradNorm(1e-3) | tw.Steps(500))
    assert result.status is tw.Status.CONVERGED
    assert float(tw.optimality(problem, result.x)) == pytest.approx(result.optimality, rel=1e-3)


@functools.partial(jax.jit, static_argnums=0)
def climb(components: int, x: jax.Array, start: tw.Mixture, regularization: float) -> tuple[jax.Array, jax.Array]:
    """The mean log-likelihood and the covariances before each of thirty steps."""
    model = tw.GaussianMixture(components, regularization)

    def one(params, _):
        log_likelihood, statistics = model.expect(params, x)
        return model.maximize(statistics), (log_likelihood, params.covariances)

    return jax.lax.scan(one, start, length=31)[1]


@pytest.mark.skipif(not X64, reason="float32 rounds a likelihood by more than it rises")
@settings(max_examples=examples(60))
@given(
    seed=st.integers(0, 2**31),
    k=st.integers(2, 3),
    regularization=st.sampled_from([1e-6, 1e-2, 0.5]),
    scale=st.sampled_from([1e-2, 1.0, 30.0]),
)
def test_the_likelihood_falls_by_no_more_than_regularization_allows(seed, k, regularization, scale):
    """With u = variance / regularization at most (log(1 + 1/u) - 1/(1 + u)) / 2 a direction is lost, for u >= 1."""
    x = scale * np.random.default_rng(seed).normal(size=(8, 2))
    start = begin(x, k, seed)
    start = start._replace(covariances=start.covariances + regularization * np.eye(2))
    value, covariances = climb(k, x, start, regularization)
    fall, smallest = -np.diff(value), np.linalg.eigvalsh(covariances)[1:].min((1, 2))
    u = np.maximum(smallest / regularization - 1, 1.0)
    bound = np.where(smallest < 2 * regularization, 0.1227, (np.log1p(1 / u) - 1 / (1 + u)) / 2)
    assert np.all(fall <= 2 * bound + 1e-12)
    assert 0.245 < max(np.log1p(u) + u / (1 + u) - u for u in np.linspace(0, 1, 101)) < 2 * 0.1227


@pytest.mark.skipif(not X64, reason="float32 rounds a likelihood by more than it rises")
def test_without_regularization_the_likelihood_never_falls_on_any_lane():
    problem = tw.Problem(tw.GaussianMixture(2, regularization=0.0), IRIS)
    values = [tw.minimize(problem, begin(IRIS, 2, seed), stop=tw.Steps(40)).trace.value for seed in range(5)]
    assert np.all(np.diff(values) <= 1e-13)
    assert np.min(np.ptp(values, axis=1)) > 0.5


def test_far_from_the_origin_nothing_is_lost():
    """The moments are taken about the current means. float32 holds 1e4 + x itself to 1e-3 only."""
    offset = tol(1e6, 1e4)
    x = np.asarray(IRIS, FLOAT)
    moved = np.asarray(IRIS + offset, FLOAT)
    near = tw.minimize(
        tw.Problem(tw.GaussianMixture(3), np.asarray(moved - offset, FLOAT)), begin(IRIS, 3), stop=tw.Steps(20)
    )
    start = begin(IRIS, 3)
    far = tw.minimize(
        tw.Problem(tw.GaussianMixture(3), moved),
        cast(start._replace(means=np.asarray(start.means, float) + offset)),
        stop=tw.Steps(20),
    )
    assert far.value == pytest.approx(near.value, rel=tol(1e-8, 2e-2))
    np.testing.assert_allclose(far.x.covariances, near.x.covariances, atol=tol(1e-8, 2e-2))
    assert x.dtype == far.x.means.dtype


def test_blocks_are_the_whole(monkeypatch):
    """The last block overlaps the one before it, and counts nobody twice."""
    from thalweg.solvers.latent import gaussian_mixture

    model, data, params = tw.GaussianMixture(3), np.asarray(IRIS, FLOAT), begin(IRIS, 3)

    def expect():
        return jax.jit(lambda params, data: model.expect(params, data))(params, data)

    whole = expect()
    monkeypatch.setattr(gaussian_mixture, "BLOCK_SIZE", 3 * 5 * 32)
    blocks = expect()
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(blocks), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e3 * EPS, atol=1e3 * EPS)


def test_samples_have_the_mixtures_moments():
    params = cast(tw.Mixture([0.25, 0.75], [[0.0, 0.0], [4.0, 1.0]], [np.eye(2), [[2.0, 0.5], [0.5, 1.0]]]))
    model = tw.GaussianMixture(2)

    @jax.jit
    def both(params, example):
        return model.sample(jax.random.key(0), params, 20_000), model.responsibilities(params, example)

    drawn, one = map(np.asarray, both(params, np.asarray([[4.0, 1.0]], FLOAT)))  # a single example may be asked about
    assert (one.shape, float(one[0, 1]) > 0.99) == ((1, 2), True)
    np.testing.assert_allclose(drawn.mean(0), [3.0, 0.75], atol=0.1)
    between = 0.25 * 0.75 * np.outer([4.0, 1.0], [4.0, 1.0])
    within = 0.25 * np.eye(2) + 0.75 * np.asarray([[2.0, 0.5], [0.5, 1.0]])
    np.testing.assert_allclose(np.cov(drawn.T), between + within, atol=0.2)
