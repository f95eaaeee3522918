"""Parameter groups by path: on dicts, Equinox and Flax; what is left over is listed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import X64, assert_close, half_square
from thalweg.rules.partition import matches_pattern

WIDE = float if X64 else np.float32
CLOSE = 1e-12 if X64 else 1e-5
STEPS = 15

FITS = {
    ("**", "encoder/0/weight"): True,
    ("**", "x"): True,
    ("*", "weight"): True,
    ("*", "encoder/weight"): False,
    ("*/weight", "encoder/weight"): True,
    ("*/weight", "encoder/0/weight"): False,
    ("**/weight", "encoder/0/weight"): True,
    ("**/weight", "weight"): True,
    ("encoder/**", "encoder/0/weight"): True,
    ("encoder/**", "encoder"): True,
    ("encoder/**", "encoders/weight"): False,
    ("encoder/*/weight", "encoder/0/weight"): True,
    ("encoder/**/weight", "encoder/weight"): True,
    ("encoder/**/weight", "encoder/a/b/weight"): True,
    ("layer?/w*", "layer1/weight"): True,
    ("layer?/w*", "layer12/weight"): False,
    ("a.b", "a.b"): True,
    ("a.b", "axb"): False,
    ("[x]", "x"): False,
}


@pytest.mark.parametrize(("pattern", "name"), FITS, ids=map(str, FITS))
def test_patterns(pattern, name):
    assert matches_pattern(pattern, name) is FITS[pattern, name]


@given(st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=4))
def test_a_path_fits_itself_and_the_widest_patterns(names):
    path = "/".join(names)
    assert matches_pattern(path, path)
    assert matches_pattern("**", path)
    assert matches_pattern("**/" + names[-1], path)
    assert matches_pattern(names[0] + "/**", path)
    assert matches_pattern("*/" * (len(names) - 1) + "*", path)
    assert not matches_pattern("*/" * len(names) + "*", path)


def tree() -> dict:
    """Two layers with weights and biases."""
    rng = np.random.default_rng(0)
    return {
        "encoder": {"weight": rng.normal(size=(3, 2)).astype(WIDE), "bias": rng.normal(size=2).astype(WIDE)},
        "head": {"weight": rng.normal(size=(2, 1)).astype(WIDE), "bias": rng.normal(size=1).astype(WIDE)},
    }


def groups(b=tw.SGD(1e-2), w=tw.Adam(0.05)) -> tw.Partition:
    """Frozen weights in the encoder, one rule for biases, another for the rest."""
    return tw.Partition({"encoder/weight": tw.Freeze(), "**/bias": b, "**": w})


def labels(params):
    """The same groups as Optax wants them."""
    return {
        "encoder": {"weight": "frozen", "bias": "bias"},
        "head": {"weight": "rest", "bias": "bias"},
    }


@pytest.mark.thorough
def test_it_is_optax_s_partition():
    theirs = optax.partition({"frozen": optax.set_to_zero(), "bias": optax.sgd(1e-2), "rest": optax.adam(0.05)}, labels)
    with jax.numpy_dtype_promotion("standard"):
        expected = tw.minimize(half_square, tree(), theirs, stop=tw.Steps(STEPS)).x
    got = tw.minimize(half_square, tree(), groups(), stop=tw.Steps(STEPS)).x
    assert_close(got, expected, CLOSE)
    np.testing.assert_array_equal(got["encoder"]["weight"], tree()["encoder"]["weight"])
    assert not np.array_equal(got["head"]["weight"], tree()["head"]["weight"])


def test_the_first_pattern_that_fits_wins_in_the_order_given():
    wide_last = tw.Partition({"**/bias": tw.Freeze(), "**": tw.SGD(0.1)})
    got = tw.minimize(half_square, tree(), wide_last, stop=tw.Steps(2)).x
    np.testing.assert_array_equal(got["head"]["bias"], tree()["head"]["bias"])
    with pytest.raises(
        ValueError, match=r"'\*\*/bias' is not the first match of any parameter.*move it before a more general"
    ):
        tw.minimize(half_square, tree(), tw.Partition({"**": tw.SGD(0.1), "**/bias": tw.Freeze()}), stop=tw.Steps(2))


def test_what_no_pattern_fits_is_listed():
    message = r"no pattern matches encoder/weight, head/weight; the patterns are '\*\*/bias'"
    with pytest.raises(ValueError, match=message):
        tw.minimize(half_square, tree(), tw.Partition({"**/bias": tw.SGD(0.1)}), stop=tw.Steps(2))


def test_patterns_without_a_parameter_are_listed():
    rule = tw.Partition({"decoder/**": tw.Freeze(), "**": tw.SGD(0.1)})
    message = r"'decoder/\*\*' is not the first match of any parameter; the parameters are enc"
    with pytest.raises(ValueError, match=message):
        tw.minimize(half_square, tree(), rule, stop=tw.Steps(2))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, ValueError, "give at least one group"),
        ({"**": 0.1}, TypeError, "must be mapped to a rule such as"),
        ({3: tw.SGD(0.1)}, TypeError, "must be a string"),
    ],
    ids=str,
)
def test_what_is_no_group_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        tw.Partition(given)


def test_the_rate_of_the_trace_is_the_first_moving_group_s():
    result = tw.minimize(half_square, tree(), groups(tw.SGD(tw.schedules.Linear(0.1, 0.0, 10))), stop=tw.Steps(5))
    np.testing.assert_allclose(result.trace.step_size[:5], 0.1 * (1 - np.arange(5) / 10), rtol=1e-6)


@pytest.mark.thorough
def test_optax_inside_and_outside():
    with jax.numpy_dtype_promotion("standard"):
        inside = tw.minimize(half_square, tree(), groups(optax.sgd(1e-2), optax.adam(0.05)), stop=tw.Steps(STEPS)).x
    assert_close(inside, tw.minimize(half_square, tree(), groups(), stop=tw.Steps(STEPS)).x, CLOSE)
    chain = optax.chain(optax.clip_by_global_norm(1e6), groups().as_optax())
    with jax.numpy_dtype_promotion("standard"):
        assert_close(tw.minimize(half_square, tree(), chain, stop=tw.Steps(STEPS)).x, inside, CLOSE)


def test_nested_groups_and_one_number_changed():
    encoder = tw.Partition({"**/bias": tw.SGD(0.1), "**": tw.Freeze()})
    nested = tw.Partition({"encoder/**": encoder, "**": tw.Adam(0.05)})
    result = tw.minimize(half_square, tree(), nested, stop=tw.Steps(3))
    np.testing.assert_array_equal(result.x["encoder"]["weight"], tree()["encoder"]["weight"])
    again = tw.from_config(tw.to_config(nested))
    assert eqx.tree_equal(again, nested) is True
    assert again.patterns == ("encoder/**", "**"), "in their order"


def batch_loss(apply):
    """The mean squared error of `apply(model, x)` on a batch."""
    return lambda model, batch: jnp.mean((apply(model, batch[0]) - batch[1]) ** 2)


X = np.random.default_rng(1).normal(size=(32, 4)).astype(np.float32)
Y = np.sin(X.sum(1, keepdims=True))


def test_an_equinox_model():
    shapes = eqx.filter_eval_shape(eqx.nn.MLP, 4, 1, 8, 2, key=jax.random.key(0), dtype=jnp.float32)
    rng = np.random.default_rng(2)
    drawn = lambda leaf: (0.3 * rng.normal(size=leaf.shape)).astype(leaf.dtype)  # noqa: E731
    model = jax.tree.map(lambda leaf: drawn(leaf) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf, shapes)
    rule = tw.Partition({"layers/0/**": tw.Freeze(), "**/bias": tw.SGD(1e-2), "**": tw.AdamW(1e-2)})
    problem = tw.Problem(batch_loss(lambda model, x: jax.vmap(model)(x)), (X, Y))
    result = tw.minimize(problem, model, rule, batch_size=8, stop=tw.Epochs(5))
    np.testing.assert_array_equal(result.x.layers[0].weight, model.layers[0].weight)
    np.testing.assert_array_equal(result.x.layers[0].bias, model.layers[0].bias)
    assert np.abs(np.asarray(result.x.layers[1].bias) - np.asarray(model.layers[1].bias)).max() > 0
    assert result.value < result.trace.value[0]


class Net(nnx.Module):
    """Two layers of Flax."""

    def __init__(self, rngs):
        self.encoder = nnx.Linear(4, 8, rngs=rngs)
        self.head = nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
        return self.head(jnp.tanh(self.encoder(x)))


@pytest.mark.thorough
def test_a_flax_model():
    graph, start = nnx.split(Net(nnx.Rngs(0)))
    rule = tw.Partition({"encoder/**": tw.Freeze(), "**/bias": tw.SGD(1e-2), "**": tw.Adam(1e-2)})
    problem = tw.Problem(batch_loss(lambda state, x: nnx.merge(graph, state)(x)), (X, Y))
    result = tw.minimize(problem, start, rule, batch_size=8, stop=tw.Epochs(5))
    before, after = nnx.merge(graph, start), nnx.merge(graph, result.x)
    np.testing.assert_array_equal(after.encoder.kernel[...], before.encoder.kernel[...])
    assert np.abs(np.asarray(after.head.bias[...]) - np.asarray(before.head.bias[...])).max() > 0
    assert result.value < result.trace.value[0]
