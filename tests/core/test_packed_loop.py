"""A loop whose scalars travel as vectors is the loop."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import assert_same
from thalweg.core.packed_loop import Packing, while_loop


class State(NamedTuple):
    """Scalars of several dtypes, a vector, a random key, nothing, an empty array."""

    i: Any
    low: Any
    high: Any
    done: Any
    flags: dict
    x: Any
    key: Any
    nothing: Any
    empty: Any


def start() -> State:
    """Before the first turn."""
    low, high, narrow = np.float32(0), np.float32(8), np.zeros((), jnp.bfloat16)
    x = State(np.asarray(0), low, high, np.asarray(False), {"odd": np.asarray(False), "narrow": narrow}, *[None] * 4)
    x = x._replace(x=np.arange(3.0, dtype=jnp.result_type(float)), empty=np.zeros(0, jnp.result_type(float)))
    return jax.tree.map(jnp.asarray, x)._replace(key=jax.random.key(3))


def body(s: State) -> State:
    """Halves an interval, and does something to everything else."""
    key, draw = jax.random.split(s.key)
    middle = (s.low + s.high) / 2
    right = jax.random.bernoulli(draw)
    flags = {"odd": ~s.flags["odd"], "narrow": s.flags["narrow"] + 1}
    low, high = jnp.where(right, middle, s.low), jnp.where(right, s.high, middle)
    return State(s.i + 1, low, high, s.i >= 5, flags, s.x * 2, key, None, s.empty)


def going(s: State) -> Any:
    """Until the flag is set."""
    return ~s.done


def by_hand() -> State:
    """Turn after turn."""
    s, turn = start(), jax.jit(body)
    while not s.done:
        s = turn(s)
    return s


def data(s: State) -> State:
    """The key as numbers."""
    return s._replace(key=jax.random.key_data(s.key))


@pytest.mark.parametrize("how", ["eager", "jit"])
def test_it_is_the_loop(how):
    run = functools.partial(while_loop, going, body)
    assert_same(data((jax.jit(run) if how == "jit" else run)(start())), data(by_hand()))


def test_lanes_end_by_themselves():
    limits = jnp.arange(4)

    def run(limit):
        return while_loop(lambda s: s[0] < limit, lambda s: (s[0] + 1, s[1] * 2, s[2]), (0, 1.0, jnp.ones(2)))

    i, power, _ = jax.vmap(run)(limits)
    np.testing.assert_array_equal(i, limits)
    np.testing.assert_array_equal(power, [1, 2, 4, 8])


def test_scalars_of_a_dtype_are_one_vector():
    packed = Packing(start()).pack(start())
    kinds = sorted(
        (leaf.dtype.name, leaf.shape) for leaf in packed if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    )
    alone = sorted((leaf.dtype.name, leaf.shape) for leaf in jax.tree.leaves(start()._replace(key=None)))
    assert ("bool", (2,)) in kinds
    assert ("float32", (2,)) in kinds
    assert len(kinds) < len(alone)
    again = Packing(start()).unpack(packed)
    assert_same(data(again), data(start()))
