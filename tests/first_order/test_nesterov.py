"""Nesterov's method around any rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import EPS, X64, assert_close, at_once, iterates, quartic, sampled

START = np.asarray([0.5, -1.0, 3.0])
CLOSE = 1e-12 if X64 else 1e-4


quartics = jax.vmap(quartic)


def ahead(xs: np.ndarray, beta: float) -> np.ndarray:
    """The points at which the gradients were taken: y_t = x_t + beta (x_t - x_{t-1})."""
    before = np.concatenate([xs[:1], xs[:-1]])
    return xs + beta * (xs - before)


@pytest.mark.parametrize("accumulate", sampled(["gradients", "steps", "average"], ["steps"]))
def test_the_one_gradient_rewrite_is_the_same_sequence_seen_ahead(accumulate):
    """`Momentum(nesterov=True)` runs through the y_t of `Nesterov(Momentum())`."""
    problem, rate, beta = tw.Problem(quartic), 0.01, 0.9
    xs = np.asarray(iterates(problem, tw.Nesterov(tw.Momentum(rate, beta, accumulate)), START, 20))
    rewritten = iterates(problem, tw.FirstOrder(tw.Momentum(rate, beta, accumulate, nesterov=True)), START, 20)
    assert_close(ahead(xs, beta), rewritten, CLOSE)
    assert np.abs(xs - np.asarray(rewritten)).max() > 1e-3, "they differ before the change of variables"


def test_without_memory_it_is_the_rule_itself():
    problem = tw.Problem(quartic)
    alone = iterates(problem, tw.FirstOrder(tw.SGD(0.01)), START, 10)
    assert_close(iterates(problem, tw.Nesterov(tw.SGD(0.01)), START, 10), alone, CLOSE)


def test_the_trace_describes_the_point_ahead_and_the_result_the_iterate():
    method = tw.Nesterov(tw.Momentum(0.01, 0.9))
    result = tw.minimize(quartic, START, method, stop=tw.Steps(10))
    xs = np.asarray(iterates(tw.Problem(quartic), method, START, 10))
    values = np.asarray(at_once(quartics, ahead(xs, 0.9)))
    np.testing.assert_allclose(result.trace.value[:10], values[:10], rtol=100 * EPS)
    assert result.value == pytest.approx(float(at_once(quartic, result.x)), rel=100 * EPS)
    assert_close(result.x, xs[-1], CLOSE)
    lowest = float(at_once(quartic, result.best.x))
    assert result.best.value == pytest.approx(lowest, rel=100 * EPS), "best is the point where its value was measured"


def test_a_rule_that_looks_at_the_value_gets_one():
    class Rated(tw.Rule):
        """A step as long as the value says."""

        def init(self, params):
            return ()

        def update(self, grads, state, params=None, *, value, **extra):
            return tuple([jnp.minimum(value, 1e-3).astype(g.dtype) * -g for g in grads]), state

        def rate(self, state):
            return jnp.asarray(jnp.nan)

    result = tw.minimize(lambda x: quartic(x[0]), (START,), tw.Nesterov(Rated()), stop=tw.Steps(5))
    assert result.value < result.trace.value[0]
