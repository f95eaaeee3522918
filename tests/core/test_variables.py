"""Which leaves are variables, and what may not start a run: strange inputs work, or get one clear sentence."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, half_square, sampled
from thalweg.core.variables import check_start, leaf_name, rejoin, short


class Model(eqx.Module):
    """Arrays beside things that are not."""

    weight: Any
    rate: float
    activation: Any


def read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


WORKING = {
    "scalar": np.asarray(2.0),
    "python float": 2.0,
    "numpy scalar": np.float64(2.0),
    "narrow numpy scalar": np.float32(2.0),
    "numpy scalar in a tree": {"a": np.float64(2.0)},
    "one entry": np.full(1, 2.0),
    "no entry": np.zeros(0),
    "zero-size leaf": {"a": np.zeros((0, 2)), "b": np.full(2, 3.0)},
    "None leaf": {"a": None, "b": (np.full(2, 3.0), None)},
    "fortran order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(6.0)[::2],
    "reversed": np.arange(3.0)[::-1],
    "read-only": read_only(np.arange(3.0)),
    "half": np.full(2, 2.0, np.float16),
    "named tuple": tw.Evals(np.full(2, 2.0), 1),
    "module": Model(jnp.asarray(np.full(2, 2.0)), 0.5, jnp.tanh),
    "ints beside floats": {"n": np.arange(2), "flag": True, "x": np.full(2, 2.0)},
    "random key": {"key": jax.random.key(0), "x": np.full(2, 2.0)},
}


FIRST = ("python float", "None leaf", "strided", "reversed", "read-only", "half", "module", "ints beside floats")


def variables_of(x0: Any) -> list[np.ndarray]:
    return [np.array(leaf) for leaf in jax.tree.leaves(tw.split(check_start(x0))[0])]


MOVED = tw.Problem(lambda x: half_square(tw.split(x)[0]), allow_unused=True)


@pytest.mark.parametrize("kind", sampled(WORKING, FIRST))
def test_strange_starts_work_and_are_left_alone(kind):
    x0 = WORKING[kind]
    before = variables_of(x0)
    result = tw.minimize(MOVED, x0, tw.SGD(0.1), stop=tw.Steps(3))
    assert result.steps == 3
    assert jax.tree.structure(result.x) == jax.tree.structure(x0)
    after = [np.asarray(leaf) for leaf in jax.tree.leaves(tw.split(result.x)[0])]
    for a, b, again in zip(after, before, variables_of(x0), strict=True):
        assert a.shape == b.shape
        assert a.dtype == (b.dtype if X64 or b.dtype != np.float64 else np.float32)
        np.testing.assert_array_equal(b, again, "the input is never changed")
        assert not a.size or not np.array_equal(a, b), "the variable moves"


def test_python_numbers_inside_a_module_are_held_fixed():
    x0 = WORKING["module"]
    result = tw.minimize(lambda m: m.rate * jnp.sum(m.activation(m.weight) ** 2), x0, tw.SGD(0.1), stop=tw.Steps(2))
    assert (result.x.rate, result.x.activation) == (0.5, jnp.tanh)


REFUSED = {
    "empty dict": ({}, TypeError, "x0={} holds no floating-point array"),
    "empty list": ([], TypeError, "holds no floating-point array"),
    "only None": ({"a": None}, TypeError, "holds no floating-point array"),
    "int": (3, TypeError, "x0=3 holds no floating-point array.*jnp.asarray\\(x0, float\\)"),
    "ints in a dict": ({"a": 1}, TypeError, "write jax.tree.map\\(jnp.float_, x0\\)"),
    "ints": (np.arange(3), TypeError, "holds no floating-point array"),
    "bools": (np.array([True]), TypeError, "holds no floating-point array"),
    "string": ("abc", TypeError, "holds no floating-point array"),
    "objects": (np.array([1.0, 2.0], object), TypeError, "holds no floating-point array"),
    "random key alone": (jax.random.key(0), TypeError, "holds no floating-point array"),
    "complex": (np.ones(2, complex), TypeError, "x0 is complex \\(complex128\\).*two real arrays"),
    "complex leaf": ({"a": np.ones(2), "b": np.ones(1, np.complex64)}, TypeError, "x0\\['b'\\] is complex"),
    "list of numbers": ([1.0, 2.0], TypeError, "flat list of numbers: write jnp.array\\(\\[1.0, 2.0\\]\\)"),
    "tuple of ints": ((1, 2), TypeError, "flat list of numbers: write jnp.array\\(\\[1.0, 2.0\\]\\)"),
    "number in a dict": ({"a": np.ones(2), "b": 2.0}, TypeError, "x0\\['b'\\]=2.0 is a Python number"),
    "number in a list": ([[1.0, 2.0], [3.0]], TypeError, "x0\\[0\\]\\[0\\]=1.0 is a Python number"),
    "NaN": (np.array([1.0, np.nan]), ValueError, "x0\\[1\\] is nan: start from finite numbers"),
    "infinity": ({"w": np.array([[1.0, -np.inf]])}, ValueError, "x0\\['w'\\]\\[0, 1\\] is -inf"),
    "NaN alone": (float("nan"), ValueError, "x0 is nan"),
    "bfloat16 NaN": (jnp.array([jnp.nan], jnp.bfloat16), ValueError, "x0\\[0\\] is nan"),
    "other byte order": (np.ones(2, ">f8"), TypeError, "x0 has dtype >f8.*astype\\(float\\)"),
    "long double": ({"a": np.ones(2, np.longdouble)}, TypeError, "x0\\['a'\\] has dtype"),
}


@pytest.mark.parametrize(("x0", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_in_one_sentence(x0, error, message):
    with pytest.raises(error, match=message) as caught:
        tw.minimize(half_square, x0, tw.SGD(0.1), stop=tw.Steps(1))
    assert "\n" not in str(caught.value)


def test_x0_is_missing():
    with pytest.raises(TypeError, match="x0 is missing"):
        tw.minimize(half_square)


def test_split_and_rejoin_are_inverse():
    tree = {"x": np.ones(2), "n": np.arange(2), "f": jnp.tanh, "none": None, "name": "a", "deep": [np.float32(1), 2]}
    variables, frozen = tw.split(tree)
    assert [leaf.dtype.kind for leaf in jax.tree.leaves(variables)] == ["f", "f"]
    assert eqx.tree_equal(rejoin(variables, frozen), tree)
    moved = rejoin(jax.tree.map(lambda leaf: leaf + 1, variables), frozen)
    np.testing.assert_array_equal(moved["x"], [2.0, 2.0])
    assert moved["f"] is jnp.tanh


def test_nothing_frozen_is_none():
    tree = {"x": jnp.ones(2), "none": None}
    variables, frozen = tw.split(tree)
    assert frozen is None
    assert variables is tree
    assert rejoin(variables, None) == variables


def test_every_array_is_a_variable_where_no_gradient_is_needed():
    tree = {"x": np.ones(2), "n": np.arange(2), "flag": np.array(True), "k": 3}
    variables, frozen = tw.split(tree, integers=True)
    assert {name for name, leaf in variables.items() if leaf is not None} == {"x", "n", "flag"}
    assert jax.tree.leaves(frozen) == [3]
    assert check_start({"n": np.arange(2)}, integers=True)["n"].dtype == np.arange(2).dtype


def test_names():
    paths = jax.tree_util.tree_leaves_with_path({"encoder": [1, {"w": 2}]})
    assert [leaf_name(path) for path, _ in paths] == ["encoder/0", "encoder/1/w"]
    assert leaf_name(()) == "x"
    assert len(short(np.arange(1000))) == 60
    assert short(3) == "3"


def test_numbers_of_a_module_stay_numbers():
    """A window's start value or a slope is part of the program: some operations refuse a traced one."""

    class Window(eqx.Module):
        weight: jax.Array
        slope: float
        pool: eqx.nn.MaxPool1d

        def __call__(self, x):
            assert isinstance(self.slope, float)
            return self.pool(x * self.weight if self.slope > 0 else x)

    model = Window(jnp.asarray(np.ones(())), 0.5, eqx.nn.MaxPool1d(2, 2))
    data = np.arange(8.0).reshape(2, 1, 4)
    problem = tw.Problem(lambda model, x: jnp.mean((jax.vmap(model)(x) - 1) ** 2), data, validation=data)
    result = tw.minimize(problem, model, tw.SGD(0.01), stop=tw.Steps(5))
    assert isinstance(result.x.slope, float)
    assert result.value < result.trace.value[0]
