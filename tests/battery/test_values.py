"""Demands on every method: dtypes and trees stay as they are, and what a user may want to keep can be kept."""

import json
import pickle
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.battery.runs import KINDS, limits, run
from tests.helpers import (
    ON_FUNCTIONS,
    REPRESENTATIVE,
    ROWS,
    X64,
    assert_same,
    compilations,
    half_square,
    posed,
    sampled,
    solver,
)
from thalweg.core.fields import replace

DTYPES = [jnp.float32, jnp.bfloat16]
WIDE = jnp.float64 if X64 else jnp.float32


def dtypes_of(name: str) -> list:
    """The others than float64, in which all else is tested.

    Rules are one piece of code for all dtypes (tested with two of them); the narrow one is where a rule is lost.
    """
    return DTYPES if name in REPRESENTATIVE or name not in ON_FUNCTIONS else [jnp.bfloat16]


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "dtype"), [(name, dtype) for name in ROWS for dtype in dtypes_of(name)])
def test_the_dtype_is_the_variables(name, dtype):
    x0 = jnp.asarray([0.25, 2.0], dtype)
    with compilations() as names:
        result = tw.minimize(posed(name, half_square), x0, solver(name), stop=tw.Steps(4), on_failure="ignore")
    assert (result.x.dtype, result.x.shape) == (dtype, (2,))
    assert result.value < result.trace.value[0]
    assert len([name for name in names if "flat" in name]) == 1, "a weak type would compile the chunk twice"


class Layer(eqx.Module):
    """A model with what models have: arrays, a function, a name, an int."""

    weight: jax.Array
    bias: Any
    activation: Any
    width: int


def mixed_tree() -> dict:
    """Several dtypes, None, fixed leaves of every kind, an empty array, a scalar."""
    layer = Layer(jnp.full((2, 2), 0.5, jnp.bfloat16), None, jnp.tanh, 2)
    return {
        "layer": layer,
        "pair": (jnp.zeros(3, WIDE), (jnp.asarray(0.5, jnp.float32), None)),
        "steps": jnp.arange(3),
        "empty": jnp.zeros((0, 2), jnp.float32),
        "name": "fixed",
    }


def loss_of_tree(tree: dict) -> jax.Array:
    """Uses the fixed parts too: a wrong rejoining would fail."""
    assert tree["name"] == "fixed"
    assert tree["layer"].width == 2
    assert tree["layer"].bias is None
    fixed = jnp.sum(tree["steps"]).astype(WIDE)  # 3
    active = tree["layer"].activation(tree["layer"].weight)
    return half_square((active, tree["pair"])) + (fixed - 3) ** 2


@pytest.mark.parametrize("name", sampled(ON_FUNCTIONS, (*KINDS, "adam", "muon")))
def test_a_mixed_tree_keeps_its_structure_and_dtypes(name):
    x0 = mixed_tree()
    problem = replace(posed(name, loss_of_tree), allow_unused=True)  # the empty array
    result = tw.minimize(problem, x0, solver(name), stop=tw.Steps(4), on_failure="ignore")
    assert jax.tree.structure(result.x) == jax.tree.structure(x0)
    (variables, frozen), (after, frozen_after) = tw.split(x0), tw.split(result.x)
    assert [leaf.dtype for leaf in jax.tree.leaves(after)] == [leaf.dtype for leaf in jax.tree.leaves(variables)]
    assert bool(eqx.tree_equal(frozen_after, frozen))
    assert result.value < result.trace.value[0]


@pytest.mark.parametrize("name", ROWS)
def test_methods_states_and_points_pickle(name):
    method = solver(name)
    begun = run(name, limits(name, 3))
    again = pickle.loads(pickle.dumps((method, begun.state, begun.x)))
    assert eqx.tree_equal(again[0], method) is True
    assert_same(again[1], jax.tree.map(np.asarray, begun.state))
    assert_same(again[2], begun.x)
    resumed = run(name, limits(name, 6), method=again[0], state=again[1])
    assert_same(resumed.x, run(name, limits(name, 6)).x)


@pytest.mark.parametrize("name", ROWS)
def test_a_method_is_rebuilt_from_json(name):
    method = solver(name)
    config = json.loads(json.dumps(tw.to_config(method)))
    again = tw.from_config(config)
    assert jax.tree.structure(again) == jax.tree.structure(method)
    assert jax.tree.leaves(again) == jax.tree.leaves(method)
    assert tw.to_config(again) == config


@pytest.mark.parametrize("name", ROWS)
def test_a_result_says_in_json_what_was_run(name):
    stop = limits(name, 5, 1e-3)
    result = run(name, stop, seed=4)
    config = json.loads(json.dumps(result.config))
    assert eqx.tree_equal(tw.from_config(config["method"]), solver(name)) is True
    assert eqx.tree_equal(tw.from_config(config["stop"]), stop) is True
    assert (config["seed"], config["keep"], config["restarts"]) == (4, "last", 1)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_complete(name):
    row = tw.METHODS[name]
    assert row.name == name
    assert row.summary.endswith((".", ":")) or ":" in row.summary
    assert row.reference
    assert 1800 < row.year < 2100
    assert row.twin.startswith("tests.twins.")
    assert row.solves
    assert row.make.__name__ in dir(tw)
    assert solver(name).needs <= frozenset(tw.Oracle)
    assert not solver(name).needs & solver(name).takes
