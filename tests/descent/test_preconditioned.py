"""L-BFGS on the Hessian of a sample: units do not matter, the sample is drawn once, what it reads is counted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, at_once, sampled, tol

FLOAT = np.float64 if X64 else np.float32
RANDOM = np.random.default_rng(0)
N, D = 400, 6
X = RANDOM.normal(size=(N, D)).astype(FLOAT)
Y = (RANDOM.random(N) < 1 / (1 + np.exp(-X.sum(1)))).astype(FLOAT)
ZERO = np.zeros(D, FLOAT)


def logistic(w, batch):
    """Mean loss."""
    x, y = batch
    return jnp.mean(jnp.logaddexp(0.0, x @ w) - y * (x @ w))


def run(x=X, examples=100, **options):
    """A run on these features."""
    stop = tw.GradNorm(tol(1e-9, 1e-4)) | tw.Steps(100)
    return tw.minimize(tw.Problem(logistic, (x, Y)), ZERO, tw.PreconditionedLBFGS(examples), stop=stop, **options)


@pytest.mark.thorough
def test_units_of_the_variables_do_not_matter():
    units = np.logspace(-1.5, 1.5, D).astype(FLOAT)
    plain, scaled = run(examples=N), run(X * units, examples=N, on_failure="ignore")
    steps = min(len(plain.trace.value), len(scaled.trace.value), 6)
    np.testing.assert_allclose(scaled.trace.value[:steps], plain.trace.value[:steps], rtol=tol(1e-6, 1e-2))
    stop = tw.GradNorm(tol(1e-9, 1e-4)) | tw.Steps(100)
    alone = tw.minimize(tw.Problem(logistic, (X * units, Y)), ZERO, tw.LBFGS(), stop=stop, on_failure="ignore")
    assert scaled.steps < 15 < alone.steps


def test_a_quadratic_is_done_after_one_step_where_all_examples_are_taken():
    def half_mean_square(w, batch):
        return 0.5 * jnp.mean((batch[0] @ w - batch[1]) ** 2)

    stop = tw.GradNorm(tol(1e-10, 1e-4))
    result = tw.minimize(tw.Problem(half_mean_square, (X, Y)), ZERO + 1, tw.PreconditionedLBFGS(N), stop=stop)
    assert (result.status, result.steps) == (tw.Status.CONVERGED, 1)


@pytest.mark.thorough
def test_the_sample_is_drawn_once_by_the_seed_and_counted():
    first, again, other = run(), run(), run(seed=1)
    np.testing.assert_array_equal(first.trace.value, again.trace.value)
    assert first.trace.value[1] != other.trace.value[1]
    np.testing.assert_allclose(first.x, other.x, atol=tol(1e-6, 1e-2))
    evals = first.trace.evals
    assert (evals.hvp[0], evals.hvp[1:].sum()) == (D, 0)
    assert evals.examples[0] == (1 + D) * 100 + N * (evals.value[0] - 1)
    np.testing.assert_array_equal(evals.examples[1:], N * evals.value[1:])


@pytest.mark.parametrize("examples", sampled([3, N], [3]))
def test_every_direction_descends_where_the_sample_is_not_convex(examples):
    def wavy(w, batch):
        return jnp.mean(jnp.cos(batch[0] @ w + batch[1])) + 0.05 * jnp.sum(w**2)

    problem = tw.Problem(wavy, (X, Y))
    result = tw.minimize(problem, ZERO + 1, tw.PreconditionedLBFGS(examples), stop=tw.GradNorm(tol(1e-6, 1e-3)))
    assert result.ok
    assert np.all(np.diff(result.trace.value) <= tol(1e-12, 1e-5))


def test_a_flat_sample_gives_a_step_of_length_one():
    problem = tw.Problem(lambda w, batch: jnp.mean(batch @ w), X)
    direction = tw.PreconditionedLBFGS(10).direction

    def heading(x):
        here = problem.objective.evaluate(x)
        return here.grad, direction(problem, here, direction.init(x), jax.random.key(0)).d

    grad, d = map(np.asarray, at_once(heading, ZERO))
    np.testing.assert_allclose(d, -grad / np.abs(grad).max(), rtol=tol(1e-12, 1e-5))


def test_bad_input_is_one_sentence():
    with pytest.raises(ValueError, match=r"PreconditionedLBFGS\(examples=0\)"):
        tw.PreconditionedLBFGS(0)
    with pytest.raises(ValueError, match=r"floor=1\.5"):
        tw.PreconditionedLBFGS(floor=1.5)
    with pytest.raises(ValueError, match="needs a mean over data examples"):
        tw.minimize(lambda x: jnp.sum(x**2), ZERO, tw.PreconditionedLBFGS())
    with pytest.raises(ValueError, match="batch_size=10"):
        tw.minimize(tw.Problem(logistic, (X, Y)), ZERO, tw.PreconditionedLBFGS(), batch_size=10, stop=tw.Steps(3))
