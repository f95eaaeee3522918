"""State in 16 and 8 bits: what is lost, what is not, and that nothing is lost in the mean."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import assert_same, at_once, examples, iterates, quartic, sampled
from thalweg.core.rule import Rule
from thalweg.rules.wrappers.compact import unpack_state

KINDS = ("bfloat16", "int8")
GAP = {"bfloat16": 2.0**-7, "int8": 1 - (126 / 127) ** 4}
"""The largest distance of neighbors: of the entry itself, and of the block's largest entry."""
by_kind = pytest.mark.parametrize("kind", KINDS)


class Keep(Rule):
    """A rule whose state is the last gradient, so that a step packs what it is given."""

    def init(self, params):
        return params

    def update(self, grads, state, params=None, **extra):
        return grads, grads

    def rate(self, state):
        return jnp.ones(())


def through(array, kind: str, rounding: str = "stochastic", seed: int = 0) -> np.ndarray:
    """An array packed and unpacked again."""
    return np.asarray(at_once(packed, tw.CompactState(Keep(), kind, rounding, min_size=0), array, np.uint32(seed)))


def packed(rule, array, seed):
    """What the state holds after a step."""
    return unpack_state(rule.update(array, rule.init(array), key=jax.random.key(seed))[1])


def packed_by_each(rule, array, seeds):
    """The same for many seeds."""
    return jax.vmap(lambda seed: packed(rule, array, seed))(seeds)


ARRAYS = st.tuples(
    st.sampled_from([(), (1,), (0,), (255,), (256,), (257,), (3, 100), (2, 3, 50)]),
    st.sampled_from([jnp.float32, jnp.float16, jnp.bfloat16]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-20, 1e-3, 1.0, 1e20]),
)


WAYS = [("bfloat16", "nearest"), ("bfloat16", "stochastic"), ("int8", "nearest"), ("int8", "stochastic")]


@pytest.mark.parametrize("way", sampled(WAYS, [("bfloat16", "nearest"), ("int8", "stochastic")]), ids=str)
@settings(max_examples=examples(20))
@given(ARRAYS)
def test_the_error_is_bounded(way, drawn):
    kind, rounding = way
    shape, dtype, seed, size = drawn
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * 10.0 ** rng.uniform(-6, 0, size=shape) * (rng.random(shape) < 0.8)
    array = (x * (size if dtype == jnp.float32 else 1.0)).astype(dtype)
    got = through(array, kind, rounding, seed)
    assert (got.shape, got.dtype) == (shape, array.dtype)
    a, b = np.asarray(array, float), np.asarray(got, float)
    assert np.all(b[a == 0] == 0)
    assert np.all(np.sign(a) == np.sign(b)) or dtype == jnp.float16, "of float16 the smallest may underflow"
    if array.ndim == 0 or array.dtype.itemsize <= jnp.dtype(kind).itemsize:
        np.testing.assert_array_equal(a, b)
        return
    flat = np.pad(a.ravel(), (0, -a.size % 256)).reshape(-1, 256)
    peak = np.repeat(np.abs(flat).max(1), 256)[: a.size].reshape(shape)
    own = np.finfo(np.float32).eps if dtype == jnp.float32 else float(jnp.finfo(dtype).eps)
    scale = np.abs(a) if kind == "bfloat16" else peak
    factor = 0.5 if rounding == "nearest" else 1.0
    assert np.all(np.abs(a - b) <= (factor * GAP[kind] + 2 * own) * scale + 1e-37)
    if kind == "int8" and dtype == jnp.float32:
        largest = np.abs(a) == peak
        np.testing.assert_array_equal(a[largest], b[largest])


@by_kind
def test_stochastic_rounding_has_the_right_mean(kind):
    x = np.random.default_rng(0).normal(size=256).astype(np.float32)
    rule = tw.CompactState(Keep(), kind, min_size=0)
    draws = np.asarray(at_once(packed_by_each, rule, x, np.arange(400, dtype=np.uint32)), float)
    deviation = draws.std(0)
    exact = deviation == 0
    assert np.abs(draws[0] - x)[exact].max() < 0.02 * GAP[kind] * np.abs(x).max()
    assert exact.mean() < 0.05
    score = (draws.mean(0) - x)[~exact] / (deviation[~exact] / np.sqrt(len(draws)))
    assert np.abs(score.mean()) < 4 / np.sqrt(score.size)
    assert 0.8 < score.std() < 1.2


@by_kind
def test_every_leaf_and_every_step_draws_bits_of_its_own(kind):
    x = {name: np.r_[1.0, np.full(255, 0.3)] for name in "ab"}
    states = at_once(four_steps, tw.CompactState(Keep(), kind, min_size=0), x)
    columns = [np.asarray(s.rule[name], float).ravel() for s in states[:4] for name in x]
    assert len({column.tobytes() for column in columns}) == 8
    pairs = np.corrcoef(np.stack(columns)[:, 1:])
    assert np.abs(pairs - np.eye(8)).max() < 0.35
    assert_same(states[0], states[4])


def four_steps(rule, x):
    """With one key and another, without one, and the next step without one; then with the first key again."""
    start = rule.init(x)
    first, other, again = (rule.update(x, start, key=jax.random.key(seed))[1] for seed in (0, 1, 0))
    plain = rule.update(x, start)[1]
    return first, other, plain, rule.update(x, plain)[1], again


@by_kind
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_seen(kind, bad):
    x = np.linspace(-1, 1, 600, dtype=np.float32)
    x[300] = bad
    got = through(x, kind)
    if kind == "bfloat16":
        np.testing.assert_array_equal(got[300], np.float32(bad))
        assert np.isfinite(np.delete(got, 300)).all()
    else:
        assert not np.isfinite(got[256:512]).any()
        assert np.isfinite(got[:256]).all()
        assert np.isfinite(got[512:]).all()


def test_a_second_moment_does_not_become_zero():
    x = np.asarray([1.0, 1e-12, -1e-30, 0.0], np.float32)
    got = through(x, "int8")
    np.testing.assert_array_equal(np.sign(got), np.sign(x))
    np.testing.assert_allclose(np.abs(got[1:3]), 127.0**-4, rtol=1e-5)


def test_small_arrays_scalars_and_counts_stay():
    shapes = {"large": (4096,), "small": (4095,), "scalar": (), "half": (4096,)}
    params = {name: np.ones(shape, "float16" if name == "half" else "float32") for name, shape in shapes.items()}
    state = jax.eval_shape(tw.CompactState(tw.Adam(), "int8").init, params)
    assert {name: str(leaf.dtype) for name, leaf in state.rule.m.items()} == {
        "large": "int8",
        "small": "float32",
        "scalar": "float32",
        "half": "int8",
    }
    assert state.rule.count.dtype == jnp.int32
    bits = jax.eval_shape(tw.CompactState(tw.Adam()).init, params).rule.v
    assert [str(bits[name].dtype) for name in shapes] == ["bfloat16", "bfloat16", "float32", "float16"]


def test_state_bytes():
    params = jax.ShapeDtypeStruct((1000, 256), jnp.float32)
    n = 256_000
    cost = {kind: tw.describe(tw.CompactState(tw.Adam(), kind), params).state_bytes for kind in KINDS}
    assert cost["bfloat16"] == 2 * 2 * n + 8
    assert cost["int8"] == 2 * (n + 4 * 1000) + 8
    assert tw.describe(tw.Adam(), params).state_bytes == 2 * 4 * n + 4


@by_kind
def test_rounding_to_nearest_stops_a_slow_mean_and_stochastic_rounding_does_not(kind):
    """The second moment of Adam, from 1 toward 0.25 at a rate of 0.001; one entry keeps the block's scale."""
    goal = np.r_[1.0, np.full(255, 0.5)].astype(np.float32)

    def after(rounding):
        rule = tw.CompactState(tw.Momentum(1.0, 0.999, "average"), kind, rounding, min_size=0)
        return np.asarray(at_once(thousand_steps, rule, goal))[1:].mean()

    assert after("nearest") == 1.0
    assert after("stochastic") == pytest.approx(0.5 + 0.5 * 0.999**1000, rel=0.02)


def thousand_steps(rule, goal):
    """The mean after them, from 1."""
    start = rule.rule.init(goal)._replace(m=jnp.ones(256, jnp.float32))
    state = rule.packed(start, jnp.zeros((), jnp.int32))
    step = lambda t, s: rule.update(goal, s, key=jax.random.fold_in(jax.random.key(0), t))[1]  # noqa: E731
    return unpack_state(jax.lax.fori_loop(0, 1000, step, state)).m


@pytest.mark.parametrize("method", [optax.adam(0.05), pytest.param(optax.sgd(0.01, 0.9), marks=pytest.mark.thorough)])
def test_optax_transformations_are_compacted_too(method):
    x0 = np.linspace(-1, 1, 300).astype(np.float32)
    with jax.numpy_dtype_promotion("standard"):
        packed, plain = (
            np.asarray(iterates(tw.Problem(quartic_mean), tw.FirstOrder(m), x0, 30)[-1])
            for m in (tw.CompactState(method, "int8", min_size=0), tw.CompactState(method, "int8", min_size=10**6))
        )
    assert 0 < np.abs(packed - plain).mean() < 0.05 * np.abs(plain - x0).max()


def quartic_mean(x):
    """Of every entry."""
    return quartic(x) / 300


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"dtype": "float16"}, r"CompactState\(dtype=.float16.\): dtype must be one of .bfloat16., .int8."),
        ({"rounding": "up"}, r"rounding must be one of .stochastic., .nearest."),
        ({"min_size": -1}, "min_size must be a whole number >= 0"),
        ({"min_size": 1.5}, "min_size must be a whole number >= 0"),
        ({"rule": 3}, "rule must be a rule such as tw.Adam"),
    ],
    ids=str,
)
def test_bad_input_is_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        tw.CompactState(**({"rule": tw.Adam()} | fields))
