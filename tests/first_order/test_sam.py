"""SAM and ASAM around any rule: formula, batches, dropout, running statistics."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import EPS, X64, Counted, assert_close, at_once, iterates, quartic
from thalweg.core.iterate import bind
from thalweg.solvers.first_order.sam import sharpened

CLOSE = 1e-12 if X64 else 1e-4
WIDE = float if X64 else np.float32


def test_on_a_quadratic_it_is_its_formula_in_closed_form():
    """X <- x - eta A (x + rho A x / |A x|)."""
    a, rng = np.diag([1.0, 3.0, 10.0]), np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    a = (turn @ a @ turn.T).astype(WIDE)
    x0, eta, rho = np.asarray([1.0, -2.0, 0.5], WIDE), 0.05, 0.3
    got = iterates(tw.Problem(lambda x: 0.5 * x @ jnp.asarray(a) @ x), tw.SAM(tw.SGD(eta), rho), x0, 30)
    expected, x = [x0], x0.astype(float)
    for _ in range(30):
        g = a @ x
        x = x - eta * (a @ (x + rho * g / np.linalg.norm(g)))
        expected.append(x)
    assert_close(got, np.asarray(expected, WIDE), CLOSE)


@pytest.mark.parametrize("curvature", [1.0, 4.0])
def test_it_ends_in_the_oscillation_of_its_docstring(curvature):
    eta, rho = 0.1, 0.2
    problem = tw.Problem(lambda x: 0.5 * curvature * x @ x)
    xs = np.asarray(iterates(problem, tw.SAM(tw.SGD(eta), rho), np.ones(1, WIDE), 300))[-2:, 0]
    amplitude = eta * curvature * rho / (2 - eta * curvature)
    np.testing.assert_allclose(np.abs(xs), amplitude, rtol=1e-4)
    assert xs[0] * xs[1] < 0


def test_asam_oscillates_in_units_of_the_minimum():
    """A minimum at 3 is left by thirty times as much as one at 0.1, up to the offset."""
    eta, rho, curvature, minimum = 0.1, 0.01, 4.0, np.asarray([3.0, 0.1], WIDE)
    for i in range(2):
        problem = tw.Problem(lambda x, i=i: 0.5 * curvature * jnp.sum((x - minimum[i]) ** 2))
        xs = np.asarray(iterates(problem, tw.ASAM(tw.SGD(eta), rho, 0.05), np.ones(1, WIDE), 300))[-2:, 0] - minimum[i]
        amplitude = eta * curvature * rho * (minimum[i] + 0.05) / (2 - eta * curvature)
        np.testing.assert_allclose(np.abs(xs), amplitude, rtol=0.02)
        assert xs[0] * xs[1] < 0


def test_asam_does_not_see_a_scaling_that_the_loss_does_not_see():
    """The worst value nearby is the same for (a, b) and (10 a, b / 10) where only the product counts; SAM's is not."""

    def worst(rho, offset, scale):
        x = np.asarray([2.0 * scale, 1.5 / scale], WIDE)
        return np.asarray(at_once(worst_gradient, rho, offset, x)) * x

    np.testing.assert_allclose(worst(0.1, 0.0, 10.0), worst(0.1, 0.0, 1.0), rtol=1e-5)
    assert not np.allclose(worst(0.1, None, 10.0), worst(0.1, None, 1.0), rtol=0.1)


def of_product(x):
    """A curve of minima."""
    return (x[0] * x[1] - 1) ** 2


def worst_gradient(rho, offset, x):
    """That at the worst point nearby."""
    return sharpened(tw.Problem(of_product).objective, rho, offset).evaluate(x).grad


def test_asam_moves_an_entry_at_zero_by_its_offset_only():
    problem, start = tw.Problem(quartic), np.zeros(3, WIDE)
    alone = iterates(problem, tw.FirstOrder(tw.SGD(0.01)), start, 1)
    assert_close(iterates(problem, tw.ASAM(tw.SGD(0.01), offset=0.0), start, 1), alone, CLOSE)
    moved = iterates(problem, tw.ASAM(tw.SGD(0.01), offset=0.1), start, 1)
    assert not np.allclose(moved, alone, rtol=1e-2)


def test_radius_zero_is_the_rule_alone_and_a_zero_gradient_is_no_accident():
    problem, start = tw.Problem(quartic), np.asarray([0.5, -1.0, 3.0], WIDE)
    alone = iterates(problem, tw.FirstOrder(tw.Adam(0.1)), start, 10)
    assert_close(iterates(problem, tw.SAM(tw.Adam(0.1), 0.0), start, 10), alone, CLOSE)
    result = tw.minimize(quartic, np.ones(2, WIDE), tw.SAM(tw.SGD(0.1)), stop=tw.Steps(3))
    np.testing.assert_array_equal(result.x, 1.0)


def test_value_and_optimality_are_those_at_the_iterate():
    start = np.asarray([0.5, -1.0, 3.0], WIDE)
    result = tw.minimize(quartic, start, tw.SAM(tw.SGD(1e-3), 0.3), stop=tw.Steps(5))
    value, grad = at_once(jax.value_and_grad(quartic), result.x)
    assert result.value == pytest.approx(float(value), rel=100 * EPS)
    assert result.optimality == pytest.approx(np.abs(grad).max(), rel=1e3 * EPS)


@pytest.mark.parametrize("inner", [tw.SGD(0.01), tw.Nesterov(tw.Momentum(0.01))], ids=["sgd", "nesterov"])
def test_it_counts_two_evaluations_a_step(inner):
    loss = Counted(quartic)
    result = tw.minimize(loss, np.zeros(2, WIDE), tw.SAM(inner), stop=tw.Steps(6))
    assert result.evals.value == loss.count


X = np.random.default_rng(0).normal(size=(40, 4)).astype(WIDE)
Y = np.sin(X.sum(1, keepdims=True))


def stateful_loss(params, model_state, batch, key):
    """A hidden layer normalized by running means (which it updates) and with dropout."""
    x, y = batch
    hidden = x @ params["w"]
    mean = jnp.mean(hidden, axis=0)
    keep = jax.random.bernoulli(key, 0.8, hidden.shape).astype(hidden.dtype)
    out = jnp.tanh(hidden - mean) * keep @ params["v"]
    return jnp.mean((out - y) ** 2), {"mean": 0.9 * model_state["mean"] + 0.1 * mean}


STATEFUL = tw.Problem(stateful_loss, (X, Y), stateful=True)


def params():
    """Small weights."""
    rng = np.random.default_rng(1)
    return {"w": rng.normal(size=(4, 6)).astype(WIDE), "v": rng.normal(size=(6, 1)).astype(WIDE)}


@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_both_gradients_see_one_batch_and_one_mask_and_the_statistics_are_the_firsts(rho):
    """Equal to a loop by hand that says so."""
    state0 = {"mean": np.zeros(6, WIDE)}
    method, stop = tw.SAM(tw.Momentum(0.05), rho), tw.Steps(12)
    result = tw.minimize(STATEFUL, params(), method, batch_size=8, stop=stop, seed=3, model_state=state0)
    x, state = at_once(by_hand, STATEFUL, params(), state0, rho)
    assert_close(result.x, x, CLOSE)
    assert_close(result.model_state, state, CLOSE)


def by_hand(problem, x, state, rho):
    """Twelve steps: parameters and statistics."""
    gradient = jax.value_and_grad(stateful_loss, has_aux=True)

    def one(carry, t):
        x, state, m = carry
        batch = tw.Batches(8).take(problem.objective.data, jax.random.key(3), t)
        key = bind(problem, jax.random.key(3), t, state, batch)[0].objective.key
        (_, new), g = gradient(x, state, batch, key)
        length = jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(g)))
        _, worst = gradient(jax.tree.map(lambda p, d: p + rho / length * d, x, g), state, batch, key)
        m = jax.tree.map(lambda m, d: 0.9 * m + d, m, worst)
        return (jax.tree.map(lambda p, d: p - 0.05 * d, x, m), new, m), None

    start = (x, state, jax.tree.map(jnp.zeros_like, x))
    return jax.lax.scan(one, start, jnp.arange(12, dtype=jnp.int32))[0][:2]


def test_a_well_narrower_than_the_radius_holds_gradient_descent_but_not_sam():
    """The sharp well lies on the slope of a flat one; the worst point nearby keeps SAM about a radius away."""

    def wells(x):
        return -0.6 * jnp.exp(-200 * (x + 1) ** 2) - jnp.exp(-((x - 1) ** 2) / 4)

    start = np.asarray(-0.95, WIDE)
    stay = tw.minimize(wells, start, tw.SGD(2e-3), stop=tw.Steps(3000))
    leave = tw.minimize(wells, start, tw.SAM(tw.SGD(2e-3), rho=0.25), stop=tw.Steps(3000))
    assert abs(stay.x + 1) < 0.05
    assert leave.x + 1 == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("inner", [tw.LBFGS(), 0.1, tw.SGD])
def test_what_cannot_stand_inside_is_refused(inner):
    with pytest.raises(ValueError, match=r"SAM\(inner=.*must be a rule, or a method with one gradient a step"):
        tw.SAM(inner)


def test_a_negative_radius_is_refused():
    with pytest.raises(ValueError, match=r"SAM\(rho=-0.1\): rho must be a finite number >= 0"):
        tw.SAM(tw.SGD(0.1), -0.1)


def test_a_negative_offset_is_refused():
    with pytest.raises(ValueError, match=r"SAM\(offset=-1.0\): offset must be a finite number >= 0"):
        tw.ASAM(tw.SGD(0.1), offset=-1.0)


def test_an_optax_transformation_stands_inside():
    optax = pytest.importorskip("optax")
    theirs = tw.minimize(quartic, np.zeros(3, WIDE), tw.SAM(optax.sgd(0.01)), stop=tw.Steps(5))
    ours = tw.minimize(quartic, np.zeros(3, WIDE), tw.SAM(tw.SGD(0.01)), stop=tw.Steps(5))
    assert_close(theirs.x, ours.x, 10 * EPS)


@pytest.mark.thorough
def test_it_trains_an_equinox_model_with_dropout():
    model = eqx.nn.Sequential(
        [
            eqx.nn.MLP(4, 8, 16, 1, key=jax.random.key(0)),
            eqx.nn.Dropout(0.2),
            eqx.nn.Linear(8, 1, key=jax.random.key(1)),
        ]
    )

    def loss(model, batch, key):
        x, y = batch
        out = jax.vmap(model)(x.astype(np.float32), key=jax.random.split(key, len(x)))
        return jnp.mean((out - y.astype(np.float32)) ** 2)

    model = jax.tree.map(lambda leaf: leaf.astype(np.float32) if eqx.is_inexact_array(leaf) else leaf, model)
    problem = tw.Problem(loss, (X, Y))
    result = tw.minimize(problem, model, tw.SAM(tw.Adam(1e-2)), batch_size=8, stop=tw.Epochs(20))
    assert np.mean(result.trace.value[-10:]) < 0.7 * np.mean(result.trace.value[:5])
