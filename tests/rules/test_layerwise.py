"""Rules that look at a layer as a whole: which axes, which blocks, zero layers, and what is kept in which precision."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import X64, assert_close, at_once, half_square, iterates, sampled
from tests.rules.updates import first, repeated

FLOAT = float if X64 else np.float32
CLOSE = 1e-12 if X64 else 5e-6
STEPS = 8
RNG = np.random.default_rng(0)
X0 = {
    "kernel": RNG.normal(size=(2, 5, 3, 4)).astype(FLOAT),
    "weight": RNG.normal(size=(4, 6)).astype(FLOAT),
    "narrow": RNG.normal(size=(7, 2)).astype(FLOAT),
    "bias": RNG.normal(size=3).astype(FLOAT),
    "scale": np.asarray(1.5, FLOAT),
    "none": None,
}


def bowl(x):
    """Coupled across the leaves, so that no leaf's path is another's."""
    return half_square(x) + sum(jnp.sum(leaf) for leaf in jax.tree.leaves(x)) ** 2 / 50


def by_optax(transformation, x0=X0) -> dict:
    """`x_0, ..., x_8` by a hand-written loop."""
    with jax.numpy_dtype_promotion("standard"):
        return at_once(walked_by_optax, transformation, x0)


def walked_by_optax(transformation, x0):
    """See `by_optax`."""

    def one(carry, _):
        x, state = carry
        update, state = transformation.update(jax.grad(bowl)(x), state, x)
        return (optax.apply_updates(x, update), state), x

    return jax.lax.scan(one, (x0, transformation.init(x0)), length=STEPS + 1)[1]


def by_us(rule: tw.Rule, loss=bowl) -> dict:
    """The same by our loop."""
    return iterates(tw.Problem(loss), tw.FirstOrder(rule), X0, STEPS)


@pytest.mark.thorough
def test_adafactor_is_optax_s_on_a_tree_with_stacked_kernels():
    expected = by_optax(optax.adafactor(0.1, min_dim_size_to_factor=3))
    assert_close(by_us(tw.Adafactor(0.1, min_size=3)), expected, 1e-5)  # its decay is computed in float32


def test_adafactor_keeps_rows_and_columns_of_the_two_largest_axes():
    state = jax.eval_shape(tw.Adafactor(min_size=3).init, X0)
    shapes = {name: (state.rows[name].shape, state.columns[name].shape) for name in X0 if name != "none"}
    assert shapes == {
        "kernel": ((2, 1, 3, 4), (2, 5, 3, 1)),
        "weight": ((4, 1), (1, 6)),
        "narrow": ((7, 2), ()),
        "bias": ((3,), ()),
        "scale": ((), ()),
    }


@pytest.mark.thorough
def test_adafactor_multiplies_the_decay_by_the_rate_and_optax_does_not():
    path = by_us(tw.Adafactor(0.1, weight_decay=0.2, min_size=3, mask=tw.matrices))
    expected = by_optax(
        optax.adafactor(
            0.1, 3, weight_decay_rate=0.1 * 0.2, weight_decay_mask=lambda x: jax.tree.map(lambda leaf: leaf.ndim > 1, x)
        )
    )
    assert_close(path, expected, 1e-5)


def test_a_rank_one_square_is_remembered_exactly():
    """For g = a b' the factors lose nothing: the factored rule takes the steps of the other."""
    x, grad = np.ones((3, 4)), np.outer([1.0, -2.0, 0.5], [3.0, 0.1, -1.0, 2.0])
    rules = tw.Adafactor(min_size=1), tw.Adafactor(min_size=9)
    updates = [np.asarray(at_once(repeated, rule, grad, x, 3)[0])[2] for rule in rules]
    assert_close(*updates, 100 * CLOSE)


@pytest.mark.parametrize("outputs", ["last", "first"])
def test_adam_mini_is_adam_with_one_second_moment_a_block(outputs):
    """Where the squares of a block's entries are all equal, the two are one rule."""
    signs, sizes = np.sign(X0["weight"]), np.asarray([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    grad = signs * (sizes if outputs == "last" else sizes[:4, None])
    tree = {"w": grad, "b": np.asarray([2.0, -2.0])}
    mini, adam = tw.AdamMini(0.1, outputs=outputs), tw.Adam(0.1)
    state = jax.eval_shape(mini.init, tree)
    assert (state.v["w"].shape, state.v["b"].shape) == ((1, 6) if outputs == "last" else (4, 1), (1,))
    update, expected = (at_once(first, rule, tree, tree)[0] for rule in (mini, adam))
    assert_close(update, expected, CLOSE)


def test_a_block_has_one_rate():
    grads = np.asarray([[1.0, 4.0], [-3.0, 2.0]])
    update, _ = at_once(first, tw.AdamMini(1.0, eps=0.0), grads, grads)
    np.testing.assert_allclose(update, -grads / np.sqrt([5.0, 10.0]), rtol=CLOSE)


def test_lars_divides_by_the_sum_of_the_norms_and_optax_by_the_norm_of_the_sum():
    x, grads = {"w": np.asarray([3.0, 4.0])}, {"w": np.asarray([0.0, 2.0])}
    rule, theirs = tw.LARS(1.0, weight_decay=0.5, trust=0.1), optax.lars(1.0, 0.5, trust_coefficient=0.1)
    moved = np.asarray([1.5, 4.0])
    update, _ = at_once(first, rule, grads, x)
    np.testing.assert_allclose(update["w"], -0.1 * 5 / (2 + 0.5 * 5) * moved, rtol=CLOSE)
    with jax.numpy_dtype_promotion("standard"):
        update, _ = at_once(first, theirs, grads, x)
    np.testing.assert_allclose(update["w"], -0.1 * 5 / np.linalg.norm(moved) * moved, rtol=CLOSE)


def test_what_the_mask_spares_is_moved_by_the_plain_rule():
    lars, lamb = tw.LARS(0.01, mask=tw.matrices), tw.LAMB(0.01, eps=1e-8, mask=tw.matrices)
    grads = at_once(jax.grad(half_square), X0)
    for rule, plain in ((lars, tw.Momentum(0.01)), (lamb, tw.Adam(0.01))):
        update, expected = (at_once(first, each, grads, X0)[0] for each in (rule, plain))
        spared = {name: bool(np.allclose(update[name], expected[name], rtol=1e-6)) for name in X0 if name != "none"}
        assert spared == {"kernel": False, "weight": False, "narrow": False, "bias": True, "scale": True}


SCALE_FREE = {"LARS": tw.LARS(0.1, weight_decay=0.0, trust=0.1), "LAMB": tw.LAMB(0.1, eps=0.0)}


@pytest.mark.thorough
@pytest.mark.parametrize("power", sampled([-30, 30], [-30]))
@pytest.mark.parametrize("rule", sampled(SCALE_FREE, ["LARS"]))
def test_lars_and_lamb_do_not_see_the_scale_of_the_loss(rule, power):
    loss, rule = {-30: tiny_bowl, 30: huge_bowl}[power], SCALE_FREE[rule]
    assert_close(by_us(rule, loss), by_us(rule), 100 * CLOSE)


def tiny_bowl(x):
    """In another unit."""
    return 2.0**-30 * bowl(x)


def huge_bowl(x):
    """In another unit."""
    return 2.0**30 * bowl(x)


@pytest.mark.parametrize("rule", [tw.LARS(0.1), tw.LAMB(0.1), tw.Adafactor(0.1, min_size=1), tw.AdamMini(0.1)])
@pytest.mark.parametrize("zero", ["weights", "gradient", "both", "no entries"])
def test_zero_layers_are_safe(rule, zero):
    shape = (0, 2) if zero == "no entries" else (2, 2)
    x, grads = (np.zeros(shape) if zero in (name, "both") else np.ones(shape) for name in ("weights", "gradient"))
    update, state = jax.tree.map(np.asarray, at_once(first, rule, grads, x))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((update, state)))
    assert np.any(update != 0) == (zero == "weights" or (zero == "gradient" and rule.weight_decay > 0))


@pytest.mark.parametrize("rule", [tw.Adafactor(0.1, min_size=2), tw.AdamMini(0.1)])
def test_means_of_many_entries_are_kept_in_float32(rule):
    x = {"w": np.ones((2, 3), jnp.bfloat16), "b": np.ones(3, jnp.bfloat16)}
    update, state = jax.eval_shape(functools.partial(first, rule), x, x)
    means = (state.rows, state.columns) if isinstance(rule, tw.Adafactor) else state.v
    assert {leaf.dtype for leaf in jax.tree.leaves(means)} == {jnp.dtype(jnp.float32)}
    assert {leaf.dtype for leaf in jax.tree.leaves(update)} == {jnp.dtype(jnp.bfloat16)}


RULES = {"LARS": tw.LARS, "LAMB": tw.LAMB, "Adafactor": tw.Adafactor, "AdamMini": tw.AdamMini}
RULES |= {"Prodigy": tw.Prodigy, "DAdaptAdam": tw.DAdaptAdam, "Sophia": tw.Sophia}
BAD = {
    "rate": (lambda make: make(-1.0), r"\w+\(learning_rate=-1.0\): learning_rate must be a finite number >= 0"),
    "decay": (lambda make: make(0.1, weight_decay=-0.1), r"\w+\(weight_decay=-0.1\).*>= 0"),
    "mask": (lambda make: make(0.1, mask="matrices"), "mask must be None or a function"),
}
OWN = {
    "trust": (lambda: tw.LARS(0.1, trust=0), r"LARS\(trust=0.0\): trust must be a finite number > 0"),
    "beta": (lambda: tw.LARS(0.1, 1.0), r"beta must be in \[0, 1\)"),
    "b1": (lambda: tw.LAMB(b1=1.0), r"b1 must be in \[0, 1\)"),
    "eps": (lambda: tw.Adafactor(eps=0), r"Adafactor\(eps=0.0\): eps must be a finite number > 0"),
    "min_size": (lambda: tw.Adafactor(min_size=0), "min_size must be a whole number >= 1"),
    "relative": (lambda: tw.Adafactor(relative=1), "relative must be True or False"),
    "outputs": (lambda: tw.AdamMini(outputs="left"), "outputs must be .last. .inputs @ weight, Flax. or .first."),
    "b3": (lambda: tw.Prodigy(b3=1.0), r"b3 must be in \[0, 1\)"),
    "d0": (lambda: tw.Prodigy(d0=0), r"Prodigy\(d0=0.0\): d0 must be a finite number > 0"),
    "safeguard": (lambda: tw.Prodigy(safeguard=1), "safeguard must be True or False"),
    "d0 of the other": (lambda: tw.DAdaptAdam(d0=-1), r"DAdaptAdam\(d0=-1.0\)"),
    "gamma": (lambda: tw.Sophia(0.1, gamma=0), "gamma must be a finite number > 0"),
    "steps": (lambda: tw.Lookahead(tw.SGD(1), 0), r"Lookahead\(steps=0\): steps must be a whole number >= 1"),
    "fraction": (lambda: tw.Lookahead(tw.SGD(1), fraction=0), r"fraction must be in \(0, 1\]"),
    "no rule": (lambda: tw.Lookahead("sgd"), r"Lookahead\(rule='sgd'\): rule must be a rule such as"),
    "xi": (lambda: tw.Cautious(tw.SGD(1), -1), r"Cautious\(xi=-1.0\)"),
    "reduction": (lambda: tw.MARS(tw.SGD(1), -1), r"MARS\(gamma=-1.0\)"),
    "by": (lambda: tw.MARS(tw.SGD(1), by="layer"), "by must be one of .norm., .leaf., .value."),
}
REFUSED = {
    f"{name} {bad}": (lambda f=f, m=m: f(m), text) for bad, (f, text) in BAD.items() for name, m in RULES.items()
}


@pytest.mark.parametrize(("make", "message"), (REFUSED | OWN).values(), ids=REFUSED | OWN)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("rule", [*(make(0.1) for make in RULES.values()), tw.Lookahead(tw.SGD(0.1))])
def test_the_parameters_are_needed(rule):
    grads = {"a": np.ones(2, FLOAT)}
    with pytest.raises(ValueError, match=rf"{type(rule).__name__}.update\(params=None\): this rule needs params"):
        rule.update(grads, rule.init(grads))
