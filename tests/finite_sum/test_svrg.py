"""SVRG: what its steps are, what they read, on which problems it works, and what it is worth."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import EPS, X64, Counted, assert_close, at_once, sampled, tol
from thalweg.problems import ZOO, logistic

RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.1 * RNG.normal(size=10)
W = np.zeros(3)


def loss(w, batch):
    """The mean squared error."""
    features, targets = batch
    return jnp.mean((features @ w - targets) ** 2)


def problem(**parts):
    """Ten examples."""
    return tw.Problem(loss, (X, Y), **parts)


# One step.


def test_a_batch_of_all_examples_is_gradient_descent():
    """With one inner step: at the snapshot the correction leaves the full gradient, whatever was drawn."""
    ours = tw.minimize(problem(), W, tw.SVRG(0.05, batch_size=10), stop=tw.Steps(7))
    theirs = tw.minimize(problem(), W, tw.SGD(0.05), stop=tw.Steps(7))
    assert_close(ours.x, theirs.x, 1e2 * EPS)
    np.testing.assert_allclose(ours.trace.value, theirs.trace.value, rtol=1e2 * EPS)


def test_the_first_inner_step_has_no_variance():
    points = [
        np.asarray(tw.minimize(problem(), W, tw.SVRG(0.05, inner_steps=1), stop=tw.Steps(1), seed=seed).x)
        for seed in (0, 1)
    ]
    assert_close(points[0], points[1], 1e2 * EPS)


def test_seeds_draw_other_examples():
    first, second = (tw.minimize(problem(), W, tw.SVRG(0.05), stop=tw.Steps(1), seed=seed).x for seed in (0, 1))
    assert np.abs(np.asarray(first) - np.asarray(second)).max() > 1e-6


def test_every_example_is_drawn_equally_often():
    rows = np.asarray(tw.SVRG(0.1, batch_size=5).draw(jax.random.key(3), 2000))
    assert rows.shape == (400, 5)
    assert rows.min() >= 0
    assert rows.max() < 2000
    halves = np.bincount(rows.ravel() // 1000)
    assert np.all(np.abs(halves - 1000) < 4 * np.sqrt(500))


PARTS = {"bounds": {"bounds": tw.Bounds(-0.4, 0.8)}, "L1": {"nonsmooth": tw.L1(0.2)}}


@pytest.mark.parametrize("name", sampled(PARTS, ["L1"]))
def test_parts_with_a_prox_are_taken(name):
    parts = PARTS[name]
    ours = tw.minimize(problem(**parts), W, tw.SVRG(0.02), stop=tw.GradNorm(tol(1e-9, 1e-5)) | tw.Steps(2000))
    theirs = tw.minimize(problem(**parts), W, tw.FISTA(), stop=tw.GradNorm(tol(1e-9, 1e-5)) | tw.Steps(2000))
    assert ours.status is theirs.status is tw.Status.CONVERGED
    np.testing.assert_allclose(ours.x, theirs.x, atol=tol(1e-7, 1e-4))
    assert np.max(ours.trace.infeasibility) == 0.0


# What is read.


INNER = {10: tw.SVRG(0.02), 3: tw.SVRG(0.02, 4), 7: tw.SVRG(0.02, 3, 7)}


@pytest.mark.parametrize("inner", sampled(INNER, [3]))
def test_examples_evaluations_and_epochs_are_counted(inner):
    method = INNER[inner]
    counted = Counted(lambda w: 0.0)

    def watched(w, batch):
        counted(w)
        return loss(w, batch)

    result = tw.minimize(tw.Problem(watched, (X, Y)), W, method, stop=tw.Steps(4))
    read = 10 + 2 * method.batch_size * inner
    assert method.examples(10) == read
    np.testing.assert_array_equal(result.trace.evals.examples, read)
    np.testing.assert_array_equal(result.trace.evals.value, 1 + 2 * inner)
    np.testing.assert_array_equal(result.trace.evals.prox, inner)
    assert result.evals.value == counted.count
    assert result.epochs == pytest.approx(4 * read / 10)


def test_epochs_are_examples_read_over_examples():
    result = tw.minimize(problem(), W, tw.SVRG(0.02), stop=tw.Epochs(20))
    assert (result.steps, result.epochs) == (7, 21.0), "a step reads the data three times"
    assert result.status is tw.Status.STEP_LIMIT
    few = tw.minimize(problem(), W, tw.SVRG(0.02, inner_steps=1), stop=tw.Epochs(6))
    assert (few.steps, few.epochs) == (5, 6.0)


def test_validation_may_be_timed_in_epochs():
    held_out = problem(validation=(X, Y))
    result = tw.minimize(held_out, W, tw.SVRG(0.02), stop=tw.Epochs(30), validate_every=tw.Epochs(9))
    assert [int(step) for step in result.validation.step] == [0, 3, 6, 9, 10]


# On which problems.


@pytest.mark.thorough
def test_a_network_of_equinox_is_trained():
    model = eqx.nn.MLP(3, 1, 8, 1, key=jax.random.key(0))

    def fit(model, batch):
        return jnp.mean((jax.vmap(model)(batch[0])[:, 0] - batch[1]) ** 2)

    result = tw.minimize(tw.Problem(fit, (X, Y)), model, tw.SVRG(0.02, batch_size=3), stop=tw.Steps(60))
    assert result.value < 0.1 * result.trace.value[0]
    assert isinstance(result.x, eqx.nn.MLP)


def test_a_tree_of_several_leaves_is_the_same_run_as_a_vector():
    def fit(p, batch):
        return loss(jnp.append(p["w"], p["b"]), batch)

    tree = tw.minimize(tw.Problem(fit, (X, Y)), {"w": np.zeros(2), "b": np.zeros(())}, tw.SVRG(0.02), stop=tw.Steps(5))
    flat = tw.minimize(problem(), W, tw.SVRG(0.02), stop=tw.Steps(5))
    assert_close(np.append(tree.x["w"], tree.x["b"]), flat.x, 1e3 * EPS)


def test_a_latent_variable_model_is_left_to_em():
    """Its terms have a gradient that its parameters may not follow."""
    with pytest.raises(ValueError, match="SVRG would ignore a latent-variable model; methods that fit: EM"):
        tw.minimize(tw.Problem(tw.GaussianMixture(1), Y[:, None]), method=tw.SVRG(0.2), stop=tw.Steps(30))


def test_restarts_run_side_by_side():
    result = tw.minimize(problem(), W, tw.SVRG(0.02), stop=tw.Steps(400), restarts=3)
    np.testing.assert_allclose(result.restarts.values, np.full(3, result.value), rtol=1e-4)


# What it is worth.


def taken(problem, x):
    """The value."""
    return problem.value(x)


@pytest.mark.thorough
@pytest.mark.skipif(not X64, reason="float32 ends both at its rounding")
def test_after_twenty_epochs_it_is_orders_below_gradient_descent_on_single_examples():
    """A constant step leaves SGD in a neighborhood; SVRG leaves it behind at the same cost."""
    known = logistic()
    ours = tw.minimize(known.problem, known.x0, tw.SVRG(0.05), stop=tw.Epochs(20))
    theirs = tw.minimize(known.problem, known.x0, tw.SGD(0.05), batch_size=1, stop=tw.Epochs(20))
    gap = ours.value - known.minimum
    gap_of_sgd = float(at_once(taken, known.problem, theirs.x)) - known.minimum
    assert ours.evals.examples <= 1.2 * theirs.evals.examples
    assert 0 <= gap < 1e-3 * gap_of_sgd


@pytest.mark.skipif(not X64, reason="float32 ends at its rounding")
@pytest.mark.parametrize("batch_size", sampled([1, 8, 33], [8]))
def test_larger_batches_take_larger_steps_to_the_same_minimum(batch_size):
    known = logistic()
    method = tw.SVRG(0.05 * min(batch_size, 8), batch_size)
    result = tw.minimize(known.problem, known.x0, method, stop=tw.GradNorm(1e-10) | tw.Steps(300))
    assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, known.argmin, atol=1e-8)


# Misuse.


def keyed(w, batch, key):
    """A random loss."""
    return loss(w, batch) * jax.random.uniform(key)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: tw.SVRG(0.0), r"step_size=0.0.*> 0"),
        (lambda: tw.SVRG(tw.schedules.Constant(0.1)), "step_size=Constant.*a number > 0.*constant step converge"),
        (lambda: tw.SVRG(0.1, batch_size=0), "batch_size=0.*whole number >= 1"),
        (lambda: tw.SVRG(0.1, batch_size=2.0), "batch_size=2.0.*whole number >= 1"),
        (lambda: tw.SVRG(0.1, inner_steps=0), "inner_steps=0.*whole number >= 1"),
        (lambda: tw.minimize(problem(), W, tw.SVRG(0.1, batch_size=11)), "batch_size=11.*at most the 10 examples"),
        (
            lambda: tw.minimize(problem(), W, tw.SVRG(0.1), batch_size=4, stop=tw.Steps(3)),
            r"SVRG draws its own batches: write tw.SVRG\(..., batch_size=4\), and leave batch_size=None",
        ),
        (
            lambda: tw.minimize(tw.Problem(loss, tw.Stream([(X, Y)])), W, tw.SVRG(0.1), stop=tw.Steps(3)),
            "SVRG needs the same function at every step, which a stream of batches changes",
        ),
        (
            lambda: tw.minimize(tw.Problem(keyed, (X, Y)), W, tw.SVRG(0.1), stop=tw.Steps(3)),
            "SVRG needs the same function at every step, which a loss with a random key changes",
        ),
        (
            lambda: tw.minimize(lambda w: jnp.sum(w**2), W, tw.SVRG(0.1)),
            "SVRG needs a mean over data examples, which this problem does not offer; methods that fit: .*LBFGS",
        ),
    ],
)
def test_one_sentence(call, match):
    with pytest.raises((ValueError, TypeError), match=match):
        call()


def test_steps_that_are_too_long_end_with_a_status():
    result = tw.minimize(problem(), W, tw.SVRG(50.0), stop=tw.Steps(300), on_failure="ignore")
    assert result.status is tw.Status.NONFINITE
    assert np.isfinite(result.value)


def test_the_zoo_has_what_the_row_solves():
    assert set(tw.METHODS["svrg"].solves) <= set(ZOO)
