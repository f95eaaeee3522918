"""The adaptive rules: what the battery does not say. Where conventions differ, ours and theirs are told apart."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import X64, assert_close, at_once, half_square, iterates, sampled
from tests.rules.updates import along, first, repeated
from thalweg.core.first_order import as_solver
from thalweg.problems import quadratic

FLOAT = float if X64 else np.float32
CLOSE = 1e-12 if X64 else 5e-6
STEPS = 20
X0 = {
    "weight": np.linspace(-2.0, 3.0, 6, dtype=FLOAT).reshape(2, 3),
    "bias": np.asarray([4.0, -5.0], FLOAT),
    "scale": np.asarray(6.0, FLOAT),
}
ADAPTIVE = {name: row.example("") for name, row in tw.METHODS.items() if row.family == "adaptive rules"}
DECAYING = {
    "adan": tw.Adan(0.1, weight_decay=0.3, mask=tw.matrices),
    "adopt": tw.ADOPT(0.1, weight_decay=0.3, mask=tw.matrices),
    "ademamix": tw.AdEMAMix(0.1, weight_decay=0.3, mask=tw.matrices),
    "lion": tw.Lion(0.1, weight_decay=0.3, mask=tw.matrices),
}


@pytest.fixture(autouse=True)
def standard_promotion():
    """Strict promotion is a demand on our code, not on Optax's."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def path(rule, loss=half_square, x0=X0, steps: int = STEPS):
    """`x_0, ..., x_20` by a rule of ours or a transformation of Optax's."""
    return jax.tree.map(np.asarray, iterates(tw.Problem(loss), as_solver(rule), x0, steps))


def apart(a, b) -> float:
    """The largest difference."""
    return max(np.abs(p - q).max() for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


FALLING = tw.schedules.Linear(0.1, 0.01, 10)
OF_OPTAX = {
    "adagrad begins at 0.1 there": (tw.AdaGrad(0.1, 1e-7, initial_accumulator=0.1), optax.adagrad(0.1)),
    "rmsprop, outside": (tw.RMSProp(0.1, eps_place="outside"), optax.rmsprop(0.1, eps_in_sqrt=False)),
    "rmsprop, centered": (tw.RMSProp(0.1, centered=True), optax.rmsprop(0.1, centered=True)),
    "rmsprop, momentum, falling rate": (tw.RMSProp(FALLING, momentum=0.8), optax.rmsprop(FALLING, momentum=0.8)),
    "rmsprop, centered, momentum": (
        tw.RMSProp(0.1, centered=True, momentum=0.8),
        optax.rmsprop(0.1, centered=True, momentum=0.8),
    ),
    "adopt, unclipped": (tw.ADOPT(0.1, clip=False), optax.contrib.adopt(0.1, use_clipping=False)),
    "lion, decay": (DECAYING["lion"], optax.lion(0.1, weight_decay=0.3, mask=tw.matrices)),
    "ademamix, decay": (DECAYING["ademamix"], optax.contrib.ademamix(0.1, weight_decay=0.3, mask=tw.matrices)),
    "ademamix, schedules": (
        tw.AdEMAMix(0.1, b3=tw.schedules.Linear(0.5, 0.9, 10), alpha=FALLING),
        optax.contrib.ademamix(0.1, b3=tw.schedules.Linear(0.5, 0.9, 10), alpha=FALLING),
    ),
    "adan, where b2 is 1 - b2": (tw.Adan(0.1, b2=0.5), optax.adan(0.1, b2=0.5, eps_root=0.0)),
}


ONE_OF_OPTAX = ("rmsprop, centered, momentum", "lion, decay")


@pytest.mark.thorough
@pytest.mark.parametrize("name", sampled(OF_OPTAX, ONE_OF_OPTAX))
def test_equals_optax(name):
    ours, theirs = OF_OPTAX[name]
    assert_close(path(ours), path(theirs), CLOSE)


@pytest.mark.thorough
def test_adan_weighs_the_difference_as_the_paper_does_and_optax_does_not():
    assert apart(path(tw.Adan(0.1)), path(optax.adan(0.1, eps_root=0.0))) > 0.05


@pytest.mark.parametrize("rule", [tw.AdaGrad, tw.RMSProp, tw.AdaDelta])
def test_epsilon_inside_and_outside_the_root(rule):
    """At the first step, with the gradient 0: what is left is the root of eps, or eps."""
    grads, eps = np.asarray([0.0, 1e-30], FLOAT), 1e-4
    inside, outside = (rule(1.0, eps=eps, eps_place=place) for place in ("inside", "outside"))
    by_root, by_eps = (np.asarray(at_once(first, r, grads, grads)[0]) for r in (inside, outside))
    assert by_root[0] == by_eps[0] == 0
    numerator = (np.sqrt(eps), eps) if rule is tw.AdaDelta else (1.0, 1.0)
    np.testing.assert_allclose(
        [by_root[1], by_eps[1]], [-1e-30 * n / d for n, d in zip(numerator, (1e-2, eps), strict=True)]
    )


def test_a_gradient_that_does_not_change_has_no_deviation():
    """Rounded, the mean of its squares may be less than its mean's square."""
    grads = np.linspace(900.0, 1100.0, 64, dtype=np.float32)
    ours, theirs = tw.RMSProp(1e-6, 0.75, centered=True), optax.rmsprop(1e-6, 0.75, centered=True)
    assert np.isfinite(at_once(repeated, ours, grads, grads, 300)[0]).all()
    assert not np.isfinite(at_once(repeated, theirs, grads, grads, 300)[0]).all()


def test_adagrad_does_not_see_the_condition_number():
    paths = [path(tw.AdaGrad(0.5, 1e-30), problem.problem.value, problem.x0) for problem in map(ill, (10.0, 1e4))]
    np.testing.assert_allclose(*paths, rtol=1e-10 if X64 else 1e-3, atol=1e-6)


def ill(condition: float):
    """A quadratic of ten axes."""
    return quadratic(condition=condition)


def test_adadelta_far_below_its_epsilon_is_gradient_descent():
    assert_close(path(tw.AdaDelta(0.1, eps=1e10)), path(tw.SGD(0.1)), 1e-6)


def test_amsgrad_never_raises_a_rate():
    """One large gradient is remembered without end: the steps after it are of one size, for Adam they grow again."""
    grads = np.asarray([100.0] + 200 * [1.0], FLOAT)

    def last(rule):
        return -np.asarray(at_once(along, rule, grads, grads[0])[0])[-100:]

    still, growing = last(tw.AMSGrad(1.0, b2=0.9)), last(tw.Adam(1.0, b2=0.9))
    np.testing.assert_allclose(still, 0.01, rtol=1e-2)
    assert growing[-1] > 0.9


def test_radam_begins_with_momentum():
    """With b2 = 0.999 the root is not trusted for five steps; the sixth divides by it, and is far shorter at first."""
    grads = np.asarray(1000.0, FLOAT)
    updates = -np.asarray(at_once(repeated, tw.RAdam(1.0), grads, grads, 6)[0])
    np.testing.assert_allclose(updates[:5], 1000.0, rtol=1e-5)
    assert 0 < updates[5] < 0.1


@pytest.mark.parametrize("clip", [True, False])
def test_adopt_only_remembers_its_first_gradient(clip):
    xs = path(tw.ADOPT(0.1, clip=clip, weight_decay=0.5), steps=2)
    for leaf in jax.tree.leaves(xs):
        np.testing.assert_array_equal(leaf[1], leaf[0])
        assert np.all(leaf[2] != leaf[1])


def test_the_proximal_decay_of_adan_divides():
    x = {"w": np.full((2, 2), 3.0, FLOAT), "b": np.asarray([-np.inf], FLOAT)}
    rule, grads = tw.Adan(0.5, weight_decay=4.0, mask=tw.matrices), jax.tree.map(np.zeros_like, x)
    update, _ = at_once(first, rule, grads, x)
    np.testing.assert_allclose(x["w"] + update["w"], 1.0, rtol=1e-6)
    np.testing.assert_array_equal(update["b"], 0.0)


@pytest.mark.parametrize("name", ["adan", "adopt"])  # the others equal Optax's
def test_a_leaf_that_is_masked_does_not_decay(name):
    plain, decayed = path(tw.change(DECAYING[name], weight_decay=0.0)), path(DECAYING[name])
    for leaf in X0:
        assert np.allclose(plain[leaf], decayed[leaf], rtol=CLOSE, atol=0) == (leaf != "weight")


@pytest.mark.parametrize("name", DECAYING)
def test_the_parameters_are_needed(name):
    grads = {"a": jnp.ones(2)}
    with pytest.raises(ValueError, match=r"\.update\(params=None\): this rule needs params; call update\("):
        DECAYING[name].update(grads, DECAYING[name].init(grads))


def test_the_warm_up_of_ademamix_is_that_of_the_paper():
    """The half-life of the slow mean grows in a line, and so does its weight."""
    rule = tw.AdEMAMix(b3=0.999, alpha=4.0, warmup=10)
    state = rule.init(jnp.zeros(2))
    alphas, betas = np.asarray([rule.warmed_up(state._replace(count=jnp.asarray(t))) for t in range(15)], float).T
    part = np.minimum((np.arange(15) + 1) / 10, 1)
    np.testing.assert_allclose(alphas, 4 * part, rtol=1e-6)
    lives = np.log(0.5) / np.log(betas)
    first, last = np.log(0.5) / np.log([0.9, 0.999])
    np.testing.assert_allclose(lives, first + part * (last - first), rtol=1e-3)
    assert betas[-1] == FLOAT(0.999)


@pytest.mark.thorough
def test_the_warm_up_of_ademamix_may_last_as_long_as_the_run():
    rule = tw.AdEMAMix(0.1, b3=0.99, warmup=None)
    result = tw.minimize(half_square, X0, rule, stop=tw.Steps(STEPS))
    expected = path(tw.AdEMAMix(0.1, b3=0.99, warmup=STEPS))
    assert_close(result.x, jax.tree.map(lambda leaf: leaf[-1], expected), CLOSE)
    with pytest.raises(ValueError, match=r"has no length outside minimize: give warmup in whole steps"):
        rule.update(X0, rule.init(X0), X0)


def test_without_a_slow_mean_ademamix_is_adamw():
    ours = path(tw.AdEMAMix(0.1, alpha=0.0, weight_decay=0.3, warmup=5))
    assert_close(ours, path(tw.AdamW(0.1, weight_decay=0.3)), CLOSE)


def test_a_warm_up_from_no_memory_at_all():
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(path(tw.AdEMAMix(0.1, b1=0.0, warmup=5))))


def test_signum_is_a_lion_with_one_mean():
    assert_close(path(tw.SignSGD(0.1, 0.7)), path(tw.Lion(0.1, 0.7, 0.7)), CLOSE)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_a_coordinate_without_gradients_stays(name):
    """As in embeddings: nothing is divided by zero, at the first step or later."""
    updates, _ = at_once(repeated, ADAPTIVE[name], np.asarray([0.0, 1.0], FLOAT), np.asarray([0.5, 1.0], FLOAT), 3)
    assert np.all(updates[:, 0] == 0.0)
    assert updates[2, 1] < 0.0


@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize("tree", [{}, None, {"none": None}], ids=str)
def test_a_tree_without_leaves(name, tree):
    update, _ = ADAPTIVE[name].update(tree, ADAPTIVE[name].init(tree), tree)
    assert jax.tree.structure(update) == jax.tree.structure(tree)


BAD = {
    "place": (
        lambda: tw.AdaGrad(eps_place="in"),
        r"AdaGrad\(eps_place='in'\): eps_place must be one of 'inside', 'outside'",
    ),
    "eps": (lambda: tw.RMSProp(eps=0.0), r"RMSProp\(eps=0.0\): eps must be a finite number > 0"),
    "eps of adopt": (lambda: tw.ADOPT(eps=0.0), r"ADOPT\(eps=0.0\): eps must be a finite number > 0"),
    "start": (lambda: tw.AdaGrad(initial_accumulator=-1), r"AdaGrad\(initial_accumulator=-1.0\).*>= 0"),
    "beta": (lambda: tw.AdaDelta(beta=1.0), r"AdaDelta\(beta=1.0\): beta must be in \[0, 1\)"),
    "momentum": (lambda: tw.RMSProp(momentum=1.5), r"RMSProp\(momentum=1.5\): momentum must be in \[0, 1\)"),
    "centered": (lambda: tw.RMSProp(centered=1), r"RMSProp\(centered=1\): centered must be True or False"),
    "rate": (lambda: tw.NAdam(-1.0), r"NAdam\(learning_rate=-1.0\)"),
    "b2": (lambda: tw.AMSGrad(b2=2.0), r"AMSGrad\(b2=2.0\)"),
    "threshold": (lambda: tw.RAdam(threshold=3.0), r"RAdam\(threshold=3.0\): threshold must be a finite number >= 4"),
    "b3": (lambda: tw.Adan(b3=-0.1), r"Adan\(b3=-0.1\)"),
    "decay": (lambda: tw.Lion(weight_decay=-1), r"Lion\(weight_decay=-1.0\)"),
    "mask": (lambda: tw.ADOPT(mask={"a": True}), r"mask must be None or a function"),
    "clip": (lambda: tw.ADOPT(clip=0.5), r"ADOPT\(clip=0.5\): clip must be True or False"),
    "alpha": (lambda: tw.AdEMAMix(alpha=-1.0), r"AdEMAMix\(alpha=-1.0\)"),
    "warm-up": (lambda: tw.AdEMAMix(warmup=2.5), r"must be a whole number of steps >= 0"),
    "signum": (lambda: tw.SignSGD(beta=1.0), r"SignSGD\(beta=1.0\): beta must be in \[0, 1\)"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
