"""BFGS and L-BFGS: the secant equation and a positive definite matrix at every step of a run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, tol
from thalweg.problems import rosenbrock

STEPS = 30
KEY = jax.random.key(0)


def states(method, steps=STEPS):
    """The descent states along a run on Rosenbrock's function of six variables."""
    known, stop = rosenbrock(6), tw.Never()

    def one(carry, _):
        after, _ = tw.iterate(known.problem, method, carry, stop, KEY, capacity=1)
        return after, carry.state

    x0 = jnp.asarray(known.x0, jnp.result_type(float))
    begin = tw.start(known.problem, method, x0, stop)
    return known.problem, jax.jit(lambda c: jax.lax.scan(one, c, length=steps)[1])(begin)


def at(tree, t):
    """The entry of step `t`."""
    return jax.tree.map(lambda leaf: leaf[t], tree)


def pairs(history):
    """Steps and changes of the gradient, in NumPy."""
    return np.diff(history.seen.x, axis=0), np.diff(history.seen.grad, axis=0)


@pytest.mark.parametrize("method", [tw.BFGS(), tw.LBFGS(4)], ids=["bfgs", "lbfgs"])
def test_the_newest_pair_satisfies_the_secant_equation(method):
    problem, history = states(method)
    s, y = pairs(history)
    assert np.all(np.sum(s * y, axis=1) > 0)
    apply = jax.jit(lambda seen, memory: method.direction(problem, seen, memory, KEY).d)
    for t in range(1, STEPS):
        seen = at(history.seen, t)._replace(grad=jnp.asarray(y[t - 1]))
        h_y = -np.asarray(apply(seen, at(history.direction, t)))
        np.testing.assert_allclose(h_y, s[t - 1], rtol=0, atol=tol(1e-9, 1e-2) * np.abs(s[t - 1]).max())


@pytest.mark.parametrize("method", [tw.BFGS(), tw.LBFGS(4)], ids=["bfgs", "lbfgs"])
def test_every_direction_leads_downhill(method):
    problem, history = states(method)
    apply = jax.jit(lambda seen, memory: method.direction(problem, seen, memory, KEY).d)
    for t in range(STEPS):
        seen = at(history.seen, t)
        assert float(apply(seen, at(history.direction, t)) @ seen.grad) < 0


@pytest.mark.skipif(not X64, reason="rounding")
def test_the_matrix_is_symmetric_and_positive_definite():
    _, history = states(tw.BFGS())
    matrices = np.asarray(history.direction.h)
    asymmetry = np.abs(matrices - np.swapaxes(matrices, 1, 2)).max(axis=(1, 2))
    assert np.all(asymmetry <= 1e-13 * np.abs(matrices).max(axis=(1, 2)))
    assert np.all(np.linalg.eigvalsh(matrices) > 0)


def test_a_pair_of_negative_curvature_changes_nothing():
    """A search that may stop anywhere: from a concave slope no pair is taken."""
    direction = tw.BFGS().direction
    x = jnp.zeros(2)
    here = tw.Evaluation(x, jnp.asarray(0.0), jnp.asarray([-1.0, 0.0]))
    there = tw.Evaluation(x + 1, jnp.asarray(-2.0), jnp.asarray([-2.0, 0.0]))
    state = direction.init(x)
    dx, dgrad = there.x - here.x, there.grad - here.grad
    after = direction.update(state, tw.descent.Taken(here, there, dx, jnp.asarray(1.0), dx, dgrad))
    assert bool(after.fresh)
    np.testing.assert_array_equal(after.h, np.eye(2))


@pytest.mark.skipif(not X64, reason="beyond float32's range")
@pytest.mark.parametrize("scale", [1e200, 1e-6])
def test_a_scaled_objective_is_solved(scale):
    valley = rosenbrock().problem.objective.fun
    stop = tw.GradNorm(1e-9 * min(scale, 1)) | tw.Steps(200)
    result = tw.minimize(lambda x: scale * valley(x), np.asarray([-1.2, 1.0]), tw.BFGS(), stop=stop)
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)
