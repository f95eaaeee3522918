"""Configured objects as JSON and back, and hyperparameters changed by name."""

import json
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import quartic
from thalweg.core.duration import Duration

OBJECTS = {
    "rule": tw.Adam(1e-2, b1=0.8),
    "solver": tw.FirstOrder(tw.SGD(0.1), norms=True),
    "nested": tw.LBFGS(5, tw.line_search.StrongWolfe(1e-3, 0.5, max_trials=9)),
    "schedule": tw.SGD(tw.schedules.WarmupCosine(0.1, warmup=tw.Epochs(1.5), final=0.1)),
    "stop": (tw.GradNorm(1e-3) | tw.Steps(7)) & tw.Never() | tw.Patience(2),
    "infinite": tw.Target(-math.inf),
    "nonsmooth": tw.L1(0.25),
    "bounds": tw.Bounds({"a": np.asarray([0.0, -np.inf])}, {"a": 1.0}),
    "sweep": tw.SGD(np.asarray([0.1, 0.2])),
    "single precision": tw.SGD(np.asarray([0.1, 0.2], np.float32)),
    "bfloat16": tw.SGD(np.asarray(jnp.asarray([0.5, 0.25], jnp.bfloat16))),
    "tuple": (1, 2.5, None, True, "a", (tw.Steps(1),)),
    "dict": {"a": tw.Steps(1), "b": {"type": "no object"}},
}


@pytest.mark.parametrize("value", OBJECTS.values(), ids=OBJECTS)
def test_through_json_and_back(value):
    config = json.loads(json.dumps(tw.to_config(value)))
    again = tw.from_config(config)
    assert jax.tree.structure(again) == jax.tree.structure(value)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(value), strict=True):
        assert type(a) is type(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)
    assert tw.to_config(again) == config


def test_every_field_is_written_defaults_too():
    config = tw.to_config(tw.Adam())
    assert config == {"type": "Adam", "learning_rate": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8}
    assert tw.to_config(tw.schedules.WarmupCosine(1.0))["steps"] == {"type": "WholeRun"}


def test_a_jax_array_comes_back_as_numpy():
    again = tw.from_config(tw.to_config(jnp.arange(3)))
    assert isinstance(again, np.ndarray)
    np.testing.assert_array_equal(again, [0, 1, 2])


def test_not_a_number_is_kept():
    config = json.loads(json.dumps(tw.to_config([math.nan, math.inf]), allow_nan=False))
    a, b = tw.from_config(config)
    assert math.isnan(a)
    assert b == math.inf


class Mine(tw.Rule):
    """A user's own rule, with a field named like a part of the format."""

    array: float = 0.5
    function: int = 3

    def init(self, params):
        return ()

    def update(self, grads, state, params=None, **extra):
        return grads, state

    def rate(self, state):
        return jnp.asarray(self.array)


def test_a_users_class_is_named_with_its_module():
    config = tw.to_config(Mine())
    assert config["type"] == f"{Mine.__module__}:Mine"
    assert tw.from_config(config) == Mine()


REFUSED = {
    "unknown class": ({"type": "Nonsense"}, ValueError, "no configurable class 'Nonsense'"),
    "other classes": ({"type": "os:system"}, ValueError, "not an imported configurable class"),
    "module not imported": ({"type": "nowhere:Thing"}, ValueError, "import nowhere first"),
    "unknown field": ({"type": "Adam", "betas": 1}, ValueError, "Adam has no field 'betas'; its fields are b1, b2"),
    "out of range": ({"type": "Adam", "b1": 2.0}, ValueError, "b1=2.0"),
    "function": (None, ValueError, "cannot be read from a configuration"),
    "no type": ({"lr": 1}, ValueError, "needs a 'type'"),
    "no configuration": (object(), TypeError, "not part of a configuration"),
}


@pytest.mark.parametrize(("config", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(config, error, message):
    config = tw.to_config(tw.SGD(jnp.sqrt)) if config is None else config
    with pytest.raises(error, match=message):
        tw.from_config(config)


def test_what_no_configuration_can_hold():
    with pytest.raises(TypeError, match="a configuration cannot hold"):
        tw.to_config({1, 2})


def test_change_finds_a_number_anywhere_and_keeps_its_type():
    solver = tw.FirstOrder(tw.Adam(0.1))
    changed = tw.change(solver, learning_rate=1, b1=np.float32(0.5))
    assert changed == tw.FirstOrder(tw.Adam(1.0, b1=0.5))
    assert [type(leaf) for leaf in jax.tree.leaves(changed)] == [float] * 4
    assert solver.rule.learning_rate == 0.1, "the original stays"
    assert jax.tree.structure(changed) == jax.tree.structure(solver)
    swept = tw.change(tw.SGD(np.asarray([0.1, 0.2], np.float32)), learning_rate=[0.3, 0.4])
    assert swept.learning_rate.dtype == np.float32


def test_change_reaches_into_a_schedule():
    method = tw.SGD(tw.schedules.WarmupCosine(0.1, warmup=2, steps=9))
    assert tw.change(method, peak=0.5).learning_rate.peak == 0.5
    longer = tw.change(method, steps=20, warmup=np.int32(3))
    assert longer == tw.SGD(tw.schedules.WarmupCosine(0.1, warmup=3, steps=20))
    assert jax.tree.structure(longer) == jax.tree.structure(method)
    assert isinstance(method.learning_rate.warmup, Duration)


@pytest.mark.parametrize("name", ["rate", "memory", "peak"])
def test_change_refuses_a_name_of_none_or_several(name):
    cycle = tw.schedules.WarmupCosine(0.1, warmup=2, steps=9)
    method = tw.Momentum(cycle, cycle) if name == "peak" else tw.LBFGS()
    with pytest.raises(ValueError, match=f"'{name}' names {2 if name == 'peak' else 0} numbers"):
        tw.change(method, **{name: 1})


def test_a_configuration_repeats_a_run():
    stop = tw.GradNorm(1e-3) | tw.Steps(9)
    first = tw.minimize(quartic, np.zeros(2), tw.Adam(0.05), stop=stop)
    config = json.loads(json.dumps(first.config))
    method, stop = tw.from_config(config["method"]), tw.from_config(config["stop"])
    again = tw.minimize(quartic, np.zeros(2), method, stop=stop, seed=config["seed"])
    np.testing.assert_array_equal(again.trace.value, first.trace.value)
    assert again.config == first.config


def test_equal_methods_are_equal():
    assert tw.SGD(1) == tw.SGD(1.0) == tw.SGD(np.float64(1))
    assert bool(eqx.tree_equal(tw.LBFGS(), tw.LBFGS()))
    assert tw.LBFGS(3) != tw.LBFGS(4)


def test_a_mask_of_ours_is_read_back():
    rule = tw.AdamW(mask=tw.matrices)
    assert tw.from_config(json.loads(json.dumps(tw.to_config(rule)))) == rule


@pytest.mark.parametrize(
    "name", ["os:system", "thalweg.rules.masks:fail", "thalweg.rules.masks:jax", "thalweg:minimize"]
)
def test_no_other_function_is_named_by_a_file(name):
    with pytest.raises(ValueError, match="cannot be read from a configuration"):
        tw.from_config({"type": "AdamW", "mask": {"function": name}})
