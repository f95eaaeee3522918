"""Decay around any rule, in both forms."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import X64, assert_close, half_square, iterates, sampled

CLOSE = 1e-12 if X64 else 5e-6
FLOAT = float if X64 else np.float32
X0 = {"w": np.linspace(-2.0, 3.0, 6, dtype=FLOAT).reshape(2, 3), "b": np.asarray([4.0, -5.0], FLOAT)}
RULES = {"sgd": tw.SGD(0.1), "momentum": tw.Momentum(0.02), "adam": tw.Adam(0.1)}


def path(method, loss=half_square):
    """`x_0, ..., x_20`."""
    return jax.tree.map(np.asarray, iterates(tw.Problem(loss), tw.FirstOrder(method), X0, 20))


def penalized(x):
    """With half of 0.3 times the squared norm of the matrix."""
    return half_square(x) + 0.15 * jnp.sum(x["w"] ** 2)


@pytest.mark.parametrize("name", sampled(RULES, ["adam"]))
def test_the_coupled_form_is_a_penalty(name):
    rule = RULES[name]
    coupled = tw.WeightDecay(rule, 0.3, decoupled=False, mask=tw.matrices)
    assert_close(path(coupled), path(rule, penalized), CLOSE)


def test_the_coupled_form_of_an_optax_transformation():
    with jax.numpy_dtype_promotion("standard"):
        coupled = path(tw.WeightDecay(optax.adam(0.1), 0.3, decoupled=False))
        assert_close(coupled, path(tw.FirstOrder(tw.WeightDecay(tw.Adam(0.1), 0.3, decoupled=False)).rule), CLOSE)


@pytest.mark.parametrize("mask", sampled([None, tw.matrices], [tw.matrices]), ids=["all", "matrices"])
def test_around_adam_it_is_adamw(mask):
    rate = tw.schedules.Cosine(0.1, 20)
    decayed = tw.WeightDecay(tw.Adam(rate, b1=0.8), 0.3, mask=mask)
    assert_close(path(decayed), path(tw.AdamW(rate, b1=0.8, weight_decay=0.3, mask=mask)), CLOSE)


def test_a_frozen_group_rests_inside_and_decays_by_the_first_rate_outside():
    groups = {"b": tw.Freeze(), "w": tw.SGD(0.1)}
    inside = tw.Partition({"b": tw.Freeze(), "w": tw.WeightDecay(tw.SGD(0.1), 0.3)})
    np.testing.assert_array_equal(path(inside)["b"][-1], X0["b"])
    outside = path(tw.WeightDecay(tw.Partition(groups), 0.3))
    np.testing.assert_allclose(outside["b"][-1], X0["b"] * (1 - 0.03) ** 20, rtol=10 * CLOSE)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: tw.WeightDecay(3), "rule must be a rule such as tw.Adam"),
        (lambda: tw.WeightDecay(tw.Adam(), -1), "weight_decay must be a finite number >= 0"),
        (lambda: tw.WeightDecay(tw.Adam(), decoupled=1), "decoupled must be True or False"),
        (lambda: tw.WeightDecay(tw.Adam(), mask=True), "mask must be None or a function"),
        (lambda: tw.WeightDecay(optax.sgd(0.1)), "decoupled must be False around an Optax transformation"),
        (lambda: tw.MasterCopy(3), "rule must be a rule such as tw.Adam"),
    ],
    ids=range(6),
)
def test_bad_input_is_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize("rule", [tw.WeightDecay(tw.SGD(0.1)), tw.MasterCopy(tw.SGD(0.1))], ids=["decay", "master"])
def test_the_parameters_are_needed(rule):
    with pytest.raises(ValueError, match=r"this rule needs params; call update\(grads, state, params\)"):
        rule.update(X0, rule.init(X0))
