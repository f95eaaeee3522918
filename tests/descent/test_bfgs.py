"""BFGS and L-BFGS: the secant equation and a positive definite matrix at every step of a run."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.faults.chosen import chosen
from tests.helpers import X64, at_once, tol
from thalweg.problems import rosenbrock

STEPS = 30
KEY = jax.random.key(0)


METHODS = {"bfgs": tw.BFGS(), "lbfgs": tw.LBFGS(4)}
VALLEY = rosenbrock().problem.objective.fun
KNOWN = rosenbrock(6)


@functools.cache
def run(method):
    """Of a run on Rosenbrock's function of six variables: its states, every direction, and the newest pairs' images."""
    problem, solver, stop = KNOWN.problem, METHODS[method], tw.Never()

    def one(carry, _):
        after, _ = tw.iterate(problem, solver, carry, stop, KEY, capacity=1)
        return after, carry.state

    def heading(seen, memory):
        return solver.direction(problem, seen, memory, KEY).d

    @jax.jit
    def whole(x0):
        history = jax.lax.scan(one, tw.start(problem, solver, x0, stop), length=STEPS)[1]
        steps = jax.lax.map(lambda both: heading(*both), (history.seen, history.direction))
        changes = history.seen._replace(grad=jnp.diff(history.seen.grad, axis=0, prepend=0))
        images = jax.lax.map(lambda both: -heading(*both), (changes, history.direction))
        return history, steps, images

    history, steps, images = whole(np.asarray(KNOWN.x0, jnp.result_type(float)))
    return jax.tree.map(np.asarray, (history, steps, images))


def pairs(history):
    """Steps and changes of the gradient, in NumPy."""
    return np.diff(history.seen.x, axis=0), np.diff(history.seen.grad, axis=0)


@pytest.mark.parametrize("method", METHODS)
def test_the_newest_pair_satisfies_the_secant_equation(method):
    history, _, images = run(method)
    s, y = pairs(history)
    assert np.all(np.sum(s * y, axis=1) > 0)
    for t in range(1, STEPS):
        np.testing.assert_allclose(images[t], s[t - 1], rtol=0, atol=tol(1e-9, 1e-2) * np.abs(s[t - 1]).max())


@pytest.mark.parametrize("method", METHODS)
def test_every_direction_leads_downhill(method):
    history, steps, _ = run(method)
    for t in range(STEPS):
        assert steps[t] @ history.seen.grad[t] < 0


@pytest.mark.skipif(not X64, reason="rounding")
def test_the_matrix_is_symmetric_and_positive_definite():
    matrices = run("bfgs")[0].direction.h
    asymmetry = np.abs(matrices - np.swapaxes(matrices, 1, 2)).max(axis=(1, 2))
    assert np.all(asymmetry <= 1e-13 * np.abs(matrices).max(axis=(1, 2)))
    assert np.all(np.linalg.eigvalsh(matrices) > 0)


def test_a_pair_of_negative_curvature_changes_nothing():
    """A search that may stop anywhere: from a concave slope no pair is taken."""
    direction = tw.BFGS().direction
    zero, one, falls, steeper = np.asarray([[0, 0], [1, 1], [-1, 0], [-2, 0]], jnp.result_type(float))
    here = tw.Evaluation(zero, falls.dtype.type(0), falls)
    there = tw.Evaluation(one, falls.dtype.type(-2), steeper)
    taken = tw.descent.Taken(here, there, one, falls.dtype.type(1), one, steeper - falls)
    after = at_once(lambda taken: direction.update(direction.init(taken.here.x), taken), taken)
    assert bool(after.fresh)
    np.testing.assert_array_equal(after.h, np.eye(2))


def valley(x, scale):
    """Rosenbrock's function."""
    return scale * VALLEY(x)


@pytest.mark.skipif(not X64, reason="beyond float32's range")
@pytest.mark.parametrize("scale", [1e200, 1e-6])
def test_a_scaled_objective_is_solved(scale):
    stop = tw.GradNorm(1e-9 * min(scale, 1)) | tw.Steps(200)
    result = tw.minimize(chosen((valley,), valley, scale), np.asarray([-1.2, 1.0]), tw.BFGS(), stop=stop)
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)
