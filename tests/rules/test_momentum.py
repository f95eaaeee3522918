"""Three scalings of one ball, and the step that looks ahead."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import X64, assert_close, at_once, iterates, quartic, sampled
from tests.rules.matrices import gradient, walked
from tests.rules.updates import first, repeated, stepped

START = np.asarray([0.5, -1.0, 3.0], float if X64 else np.float32)
STEPS = 20
CLOSE = 1e-12 if X64 else 2e-5
RATE, BETA = 5e-3, 0.8
FALLING = tw.schedules.Linear(RATE, 0.1 * RATE, steps=STEPS)
by_nesterov = pytest.mark.parametrize("nesterov", [False, True], ids=["plain", "nesterov"])


def steeper(t):
    """So much more that the average falls alike."""
    return FALLING(t) / (1 - BETA)


def path(rule: tw.Rule) -> np.ndarray:
    """`x_0, ..., x_20` on the quartic."""
    return np.asarray(iterates(tw.Problem(quartic), tw.FirstOrder(rule), START, STEPS))


@pytest.mark.parametrize("nesterov", sampled([False, True], [False]), ids=["plain", "nesterov"])
def test_with_a_constant_rate_the_scalings_are_one_sequence(nesterov):
    gradients = tw.Momentum(RATE, BETA, nesterov=nesterov)
    steps = dataclasses.replace(gradients, accumulate="steps")
    average = dataclasses.replace(gradients, accumulate="average", learning_rate=RATE / (1 - BETA))
    assert_close(path(steps), path(gradients), CLOSE)
    assert_close(path(average), path(gradients), CLOSE)


@pytest.mark.parametrize("nesterov", sampled([False, True], [True]), ids=["plain", "nesterov"])
def test_with_a_schedule_steps_keep_the_old_rates(nesterov):
    rules = {
        "gradients": tw.Momentum(FALLING, BETA, nesterov=nesterov),
        "steps": tw.Momentum(FALLING, BETA, "steps", nesterov),
        "average": tw.Momentum(steeper, BETA, "average", nesterov),
    }
    paths = {name: path(rule) for name, rule in rules.items()}
    assert_close(paths["average"], paths["gradients"], CLOSE)
    apart = np.abs(paths["steps"] - paths["gradients"]).max(axis=1)
    assert np.all(apart[:2] <= CLOSE), "the first step has no past"
    assert np.all(apart[2:] > 1e-3)


@pytest.mark.thorough
@by_nesterov
@pytest.mark.parametrize("rate", [RATE, FALLING], ids=["constant", "schedule"])
def test_gradients_are_optax_sgd(rate, nesterov):
    with jax.numpy_dtype_promotion("standard"):
        expected = at_once(walked, optax.sgd(rate, BETA, nesterov), START, quartic, STEPS)
    assert_close(path(tw.Momentum(rate, BETA, nesterov=nesterov)), expected, CLOSE)


def test_the_rewrite_visits_the_points_that_look_ahead():
    """Nesterov's ball takes its gradient at x + beta v, where it would roll; there the rewrite's iterates are."""
    x, v, expected, grad = START, np.zeros_like(START), [], gradient(quartic)
    rates = np.asarray(at_once(jax.vmap(FALLING), np.arange(STEPS + 1)), float)
    for rate in rates:
        ahead = x + BETA * v
        expected.append(ahead)
        v = BETA * v - rate * grad(ahead)
        x = x + v
    assert_close(path(tw.Momentum(FALLING, BETA, "steps", nesterov=True)), np.stack(expected), CLOSE)


@by_nesterov
@pytest.mark.parametrize("accumulate", ["gradients", "steps", "average"])
def test_under_a_constant_gradient_the_step_grows_to_the_effective_rate(accumulate, nesterov):
    rule, grad = tw.Momentum(0.1, 0.75, accumulate, nesterov), np.asarray(3.0, START.dtype)
    updates, state = at_once(repeated, rule, grad, grad, 100)
    sizes = -np.asarray(updates, float) / 3.0
    effective = 0.1 if accumulate == "average" else 0.1 / (1 - 0.75)
    assert sizes[-1] == pytest.approx(effective, rel=1e-5)
    assert np.all(np.diff(sizes[:20]) > 0)
    remembered = {"gradients": 3.0 / (1 - 0.75), "steps": 0.1 * 3.0 / (1 - 0.75), "average": 3.0}
    assert float(state.m) == pytest.approx(remembered[accumulate], rel=1e-5)


def test_without_memory_it_is_gradient_descent():
    for accumulate in ("gradients", "steps", "average"):
        np.testing.assert_allclose(path(tw.Momentum(RATE, 0.0, accumulate)), path(tw.SGD(RATE)), rtol=CLOSE)


def test_low_precision_is_computed_in_float32_and_kept():
    """0.99 is 0.98828 in bfloat16."""
    rule, grads = tw.Momentum(1.0, 0.99), {"a": np.full(2, 100.0, jnp.bfloat16), "b": np.ones((), np.float32)}
    _, state = at_once(first, rule, grads, grads)
    update, state = at_once(stepped, rule, jax.tree.map(np.zeros_like, grads), state, grads)
    assert update["a"].dtype == state.m["a"].dtype == jnp.bfloat16
    np.testing.assert_array_equal(update["a"], np.full(2, -99.0, jnp.bfloat16))


@pytest.mark.parametrize("tree", [{}, None])
def test_a_tree_without_leaves(tree):
    rule = tw.Momentum(0.1)
    update, _ = rule.update(tree, rule.init(tree))
    assert jax.tree.structure(update) == jax.tree.structure(tree)


BAD = {
    "rate": (lambda: tw.Momentum(-1.0), r"Momentum\(learning_rate=-1.0\).*>= 0"),
    "beta": (lambda: tw.Momentum(0.1, 1), r"Momentum\(beta=1.0\): beta must be in \[0, 1\)"),
    "accumulate": (
        lambda: tw.Momentum(0.1, accumulate="foo"),
        r"Momentum\(accumulate='foo'\): accumulate must be one of 'gradients', 'steps', 'average'",
    ),
    "nesterov": (lambda: tw.Momentum(0.1, nesterov=1), r"Momentum\(nesterov=1\): nesterov must be True or False"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
