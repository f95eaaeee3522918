"""Rules that find their own rate: the estimate is about the whole tree, only grows, and ends near the distance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, assert_close, at_once, half_square, iterates
from tests.rules.updates import first

FAR = 10.0
RULES = [tw.Prodigy(), tw.DAdaptAdam()]
by_rule = pytest.mark.parametrize("rule", RULES, ids=["prodigy", "dadapt-adam"])


def norm_from(x):
    """Convex, without curvature along rays: the model of both papers. The minimum is FAR away in every entry."""
    return jnp.sum(jnp.sqrt((x - FAR) ** 2 + 1e-2))


def estimates(rule: tw.Rule, loss, x0, steps: int) -> np.ndarray:
    """`d_0, ..., d_steps`."""
    return np.asarray(at_once(estimated, rule, loss, x0, steps))


def estimated(rule, loss, x0, steps):
    """See `estimates`."""

    def one(carry, _):
        x, state = carry
        update, after = rule.update(jax.grad(loss)(x), state, x)
        return (jax.tree.map(jnp.add, x, update), after), state.d

    return jax.lax.scan(one, (x0, rule.init(x0)), length=steps + 1)[1]


@by_rule
def test_the_estimate_grows_to_the_order_of_the_distance(rule):
    d = estimates(rule, norm_from, np.zeros(3), 400)[:301]
    assert d[0] == pytest.approx(1e-6)
    assert np.all(np.diff(d) >= 0)
    assert FAR / 20 < d[-1] < 3 * FAR, "the papers' bound, d <= FAR, is that of dual averaging"


@by_rule
def test_the_first_estimate_hardly_matters(rule):
    ends = [estimates(tw.change(rule, d0=d0), norm_from, np.zeros(3), 400)[-1] for d0 in (1e-6, 1e-4, 1e-2)]
    assert max(ends) < 2 * min(ends)


def square(x):
    """From 1, in every leaf."""
    return sum(jnp.sum((leaf - 1) ** 2) for leaf in jax.tree.leaves(x))


SQUARE = tw.Problem(square, allow_unused=True)


@by_rule
def test_a_tree_is_the_vector_of_its_entries(rule):
    x0 = np.linspace(-1.0, 2.0, 6)
    rule = tw.change(rule, d0=1e-2)
    whole = iterates(SQUARE, tw.FirstOrder(rule), x0, 20)
    parts = {"a": x0[:2].reshape(1, 2), "b": x0[2], "c": x0[3:], "none": None, "empty": x0[:0]}
    split = iterates(SQUARE, tw.FirstOrder(rule), parts, 20)
    joined = np.concatenate([np.reshape(split[name], (21, -1)) for name in "abc"], axis=1)
    assert_close(joined, whole, 1e-9 if X64 else 1e-3)


@by_rule
def test_a_zero_gradient_teaches_nothing(rule):
    x = {"a": np.ones(2), "b": np.zeros((0, 2))}
    update, state = at_once(first, rule, jax.tree.map(np.zeros_like, x), x)
    assert float(state.d) == pytest.approx(1e-6)
    np.testing.assert_array_equal(update["a"], 0.0)


@by_rule
def test_the_rate_in_the_trace_is_the_factor_and_the_estimate_is_in_the_state(rule):
    result = tw.minimize(half_square, np.zeros(3), rule, stop=tw.Steps(30))
    np.testing.assert_array_equal(result.trace.step_size, 1.0)
    assert 1e-6 < float(result.state.state.rule.d) <= 1.0


@by_rule
def test_the_estimate_is_not_rounded_to_narrow_parameters(rule):
    state = jax.eval_shape(rule.init, np.ones(3, jnp.bfloat16))
    assert state.d.dtype == jnp.result_type(float)
    assert {leaf.dtype for leaf in (state.m, state.v, state.s)} == {jnp.dtype(jnp.bfloat16)}


def test_decay_is_of_the_masked_leaves():
    x = {"w": np.ones((1, 2)), "b": np.ones(2)}
    zero = jax.tree.map(np.zeros_like, x)
    for rule in (tw.Prodigy(d0=0.1, weight_decay=0.5, mask=tw.matrices), tw.DAdaptAdam(d0=0.1, weight_decay=0.5)):
        update, _ = at_once(first, rule, zero, x)
        eta = 0.1 * np.sqrt(1e-3) / 0.1
        np.testing.assert_allclose(update["w"], -0.5 * eta, rtol=1e-4)
        np.testing.assert_allclose(update["b"], 0.0 if rule.mask else -0.5 * eta, rtol=1e-4)
