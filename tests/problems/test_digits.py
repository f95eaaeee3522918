"""The main job: handwritten digits."""

import sys

import jax
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import sampled
from thalweg.problems import digits
from thalweg.problems.digits import load_split


@pytest.fixture(scope="module")
def split():
    return load_split()


def test_the_split_is_fixed_disjoint_and_in_proportion(split):
    (train, train_labels), (validation, validation_labels) = split
    assert train.shape == (1437, 64)
    assert validation.shape == (360, 64)
    whole = np.bincount(np.concatenate([train_labels, validation_labels]))
    assert np.abs(np.bincount(validation_labels) - whole / 5).max() <= 1
    again = load_split()
    for a, b in zip(jax.tree.leaves(split), jax.tree.leaves(again), strict=True):
        assert (a == b).all()


def test_inputs_have_mean_0_and_variance_1_on_the_training_part(split):
    train, validation = split.train[0], split.validation[0]
    assert train.mean() == pytest.approx(0, abs=1e-5)
    assert train.std() == pytest.approx(1, abs=1e-5)
    assert abs(validation.mean()) > 1e-4
    assert train.dtype == np.float32


@pytest.mark.parametrize("seed", sampled([0, 1, 2], [0]))
def test_the_job_reaches_97_percent_on_held_out_digits(seed):
    job = digits(seed=seed)
    result = tw.minimize(job.problem, job.x0, job.method, seed=seed, **job.options)
    kept = result.validation.step.tolist().index(result.kept)
    assert result.validation.metrics["accuracy"][kept] >= 0.97
    assert result.validation.value[kept] == result.validation.value.min()
    assert result.steps <= 40 * 23
    assert {leaf.dtype for leaf in jax.tree.leaves(result.x)} == {np.dtype(np.float32)}


@pytest.mark.thorough
def test_a_decay_makes_the_minimum_one_to_converge_to():
    job = digits(decay=1e-3)
    result = tw.minimize(job.problem, job.x0, tw.LBFGS(), stop=tw.GradNorm(1e-4) | tw.Steps(500))
    assert result.status == tw.Status.CONVERGED and result.steps < 300
    assert result.validation.metrics["accuracy"][-1] >= 0.95


@pytest.mark.thorough
def test_adam_reaches_96_percent_from_another_start():
    job = digits(hidden=32, seed=3)
    result = tw.minimize(job.problem, job.x0, tw.Adam(0.02), stop=tw.Steps(200))
    assert result.validation.metrics["accuracy"][-1] >= 0.96


def test_the_biases_start_at_zero_and_the_weights_at_glorots_scale():
    x0 = digits(hidden=200).x0
    assert not x0["hidden"]["b"].any()
    assert x0["hidden"]["w"].std() == pytest.approx(np.sqrt(2 / 264), rel=0.05)


def test_without_scikit_learn_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "thalweg\[zoo\]"'):
        digits()
