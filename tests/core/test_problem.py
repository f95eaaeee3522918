"""What a problem is made of and what it offers; the forms of a loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import EPS, NoisyMean, at_once, half_square
from thalweg.core.objective import takes_key
from thalweg.core.oracle import PARTS

Oracle = tw.Oracle
DTYPE = jnp.result_type(float)
X = np.asarray([0.5, -1.0])
DATA = (np.arange(6.0).reshape(3, 2), np.arange(3.0))
SMOOTH = {Oracle.VALUE, Oracle.GRADIENT, Oracle.HVP}


def linear(x, batch):
    """Half the mean square of a linear model."""
    features, target = batch
    return 0.5 * jnp.mean((features @ x - target) ** 2)


def noisy(x, key):
    """A random loss."""
    return jnp.sum((x - jax.random.normal(key, x.shape, x.dtype)) ** 2)


def stateful(x, state, batch):
    """Counts its calls."""
    return linear(x, batch), state + 1


OFFERS = {
    "function": (tw.Problem(half_square), SMOOTH | {Oracle.WHOLE}),
    "data": (tw.Problem(linear, DATA), SMOOTH | {Oracle.WHOLE, Oracle.FINITE_SUM}),
    "key": (tw.Problem(noisy), SMOOTH | {Oracle.KEY}),
    "stateful": (tw.Problem(stateful, DATA, stateful=True), SMOOTH | {Oracle.FINITE_SUM, Oracle.MODEL_STATE}),
    "residuals": (tw.Problem(tw.LeastSquares(lambda x: x)), SMOOTH | {Oracle.WHOLE, Oracle.RESIDUALS}),
    "latent": (
        tw.Problem(NoisyMean(), X),
        {Oracle.VALUE, Oracle.WHOLE, Oracle.FINITE_SUM, Oracle.LATENT, Oracle.START},
    ),
    "nonsmooth": (tw.Problem(half_square, nonsmooth=tw.L1(1.0)), SMOOTH | {Oracle.WHOLE, Oracle.NONSMOOTH}),
    "set": (tw.Problem(half_square, nonsmooth=tw.Simplex()), SMOOTH | {Oracle.WHOLE, Oracle.SET}),
    "bounds": (tw.Problem(half_square, bounds=tw.Bounds(0.0)), SMOOTH | {Oracle.WHOLE, Oracle.BOUNDS}),
    "equality": (tw.Problem(half_square, equality=jnp.sum), SMOOTH | {Oracle.WHOLE, Oracle.EQUALITY}),
    "inequality": (tw.Problem(half_square, inequality=jnp.sum), SMOOTH | {Oracle.WHOLE, Oracle.INEQUALITY}),
    "a batch": (tw.Problem(linear, DATA).on((DATA[0][:1], DATA[1][:1])), SMOOTH | {Oracle.FINITE_SUM, Oracle.BATCHES}),
}


@pytest.mark.parametrize(("problem", "expected"), OFFERS.values(), ids=OFFERS)
def test_offers(problem, expected):
    assert problem.offers(X) == frozenset(expected)
    assert problem.parts(X) == frozenset(expected) & PARTS


def test_integers_have_no_gradient():
    offered = tw.Problem(half_square).offers({"a": X, "n": np.arange(2)})
    assert Oracle.INTEGERS in offered
    assert not offered & {Oracle.GRADIENT, Oracle.HVP}


def fits(solver: tw.Solver, problem: tw.Problem) -> bool:
    """The rule of `Oracle`: everything needed is offered, and no part is ignored."""
    return solver.needs <= problem.offers(X) and problem.parts(X) <= solver.takes | solver.needs


RULES = ("rules", "adaptive rules", "layer-wise rules", "matrix rules", "wrappers")


def test_what_methods_say_is_what_fits():
    fitting = {
        kind: {name for name, row in tw.METHODS.items() if fits(row.solver(), problem)}
        for kind, (problem, _) in OFFERS.items()
    }
    rules = {name for name, row in tw.METHODS.items() if row.family in (*RULES, "first order")}
    assert fitting["function"] >= rules | {"lbfgs", "fista"}
    assert fitting["latent"] == {"em"}
    assert fitting["key"] == fitting["stateful"] == fitting["a batch"] == rules
    assert fitting["nonsmooth"] == {"fista"}
    assert fitting["set"] == {"fista", "projected-gradient"}
    assert fitting["bounds"] == {"lbfgsb", "fista", "projected-gradient", "augmented-lagrangian", "simulated-annealing"}
    assert fitting["equality"] == fitting["inequality"] == {"augmented-lagrangian"}


def test_value_adds_the_nonsmooth_part_and_the_prox_composes_with_the_bounds():
    problem = tw.Problem(half_square, nonsmooth=tw.L1(0.5), bounds=tw.Bounds(-0.25, 0.25))
    x = jnp.asarray(X, DTYPE)
    assert float(problem.value(x)) == pytest.approx(float(half_square(x)) + 0.75)
    np.testing.assert_allclose(problem.prox(x, jnp.asarray(0.5, DTYPE)), [0.25, -0.25])
    np.testing.assert_allclose(problem.prox(x, jnp.asarray(1.0, DTYPE)), [0.0, -0.25])
    assert float(problem.infeasibility(x)) == 0.75


def test_constraints_measure_their_violation():
    problem = tw.Problem(half_square, equality=lambda x: x[0] - 1, inequality=lambda x: jnp.stack([x[0] - 9, -x[1]]))
    assert float(problem.infeasibility(jnp.asarray([1.0, 3.0]))) == 0
    assert float(problem.infeasibility(jnp.asarray([3.0, 3.0]))) == 2.0
    assert float(problem.infeasibility(jnp.asarray([1.0, -3.0]))) == 3.0


def test_counts_carry_their_examples():
    assert tw.Problem(linear, DATA).evals(value=2, gradient=2, hvp=1, prox=5) == tw.Evals(2, 2, 1, 5, 9)
    assert tw.Problem(half_square).evals(value=2) == tw.Evals(2, 0, 0, 0, 0)


def test_a_batch_is_smaller_data():
    problem, x = tw.Problem(linear, DATA), jnp.asarray(X, DTYPE)
    rows = jax.tree.map(lambda leaf: jnp.asarray(leaf[1:], DTYPE), DATA)
    assert float(problem.on(rows).value(x)) == pytest.approx(float(linear(x, rows)))
    assert problem.on(problem.objective.data).whole
    assert not problem.on(rows).whole
    assert problem.on(rows).objective.examples == 2


def test_the_key_goes_to_a_loss_that_names_it():
    x, key = jnp.asarray(X, DTYPE), jax.random.key(3)
    problem = tw.Problem(noisy).on(None, key)
    assert float(problem.value(x)) == float(noisy(x, key))
    assert takes_key(lambda x, *, key: x)
    assert not takes_key(lambda x, k: x)
    assert not takes_key(jnp.sum)


def test_state_and_auxiliary_output():
    problem = tw.Problem(
        lambda x, s, batch: (linear(x, batch), (s + 1, {"size": jnp.max(x)})), DATA, stateful=True, has_aux=True
    )
    x, count = np.asarray(X, DTYPE), np.asarray(4.0, DTYPE)
    evaluate = jax.jit(lambda x, s: problem.on(problem.objective.data, None, s).objective.evaluate(x))
    seen = evaluate(x, count)
    assert (float(seen.model_state), float(seen.aux["size"])) == (5.0, 0.5)
    assert float(seen.value) == pytest.approx(float(at_once(linear, x, problem.objective.data)))


def test_oracles_agree_with_the_formulas():
    a = np.asarray(DATA[0], DTYPE)
    objective, x, v = tw.Problem(linear, DATA).objective, np.asarray(X, DTYPE), np.asarray([2.0, 1.0], DTYPE)
    (value, grad), hvp = jax.jit(lambda x, v: (objective.value_and_grad(x), objective.hvp(x, v)))(x, v)
    residual = a @ x - np.asarray(DATA[1], DTYPE)
    assert float(value) == pytest.approx(float(residual @ residual) / 6)
    np.testing.assert_allclose(grad, a.T @ residual / 3, rtol=100 * EPS)
    np.testing.assert_allclose(hvp, a.T @ (a @ v) / 3, rtol=100 * EPS)


REFUSED = {
    "no function": (lambda: tw.Problem(3.0), TypeError, "objective=3.0.*give a function"),
    "lengths": (
        lambda: tw.Problem(linear, (np.ones((3, 2)), np.ones(2))),
        ValueError,
        "data\\[0\\] has 3, data\\[1\\] has 2",
    ),
    "empty data": (lambda: tw.Problem(linear, np.ones((0, 2))), ValueError, "data is empty"),
    "no leaves": (lambda: tw.Problem(linear, ()), ValueError, "data is empty"),
    "a number as data": (lambda: tw.Problem(linear, {"t": 3.0}), ValueError, "data\\[t\\] is a single number"),
    "objects": (lambda: tw.Problem(linear, np.asarray(["a", None], object)), TypeError, "dtype object"),
    "validation": (
        lambda: tw.Problem(linear, DATA, validation=(np.ones(2), np.ones(3))),
        ValueError,
        "validation\\[0\\]",
    ),
    "metrics": (lambda: tw.Problem(linear, DATA, metrics=lambda x, b: {}), ValueError, "pass validation="),
    "bounds": (lambda: tw.Problem(half_square, bounds=[(0, 1)]), TypeError, "write tw.Bounds\\(lower, upper\\)"),
    "nonsmooth": (lambda: tw.Problem(half_square, nonsmooth=0.1), TypeError, "give a Nonsmooth"),
    "equality": (lambda: tw.Problem(half_square, equality=1.0), TypeError, "equality=1.0.*give a function"),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


LOSSES = {
    "vector": (lambda x: x, "an array of shape \\(2,\\).*take its mean"),
    "complex": (lambda x: jax.lax.complex(x[0], x[1]), "complex(128|64).*return its real part or modulus"),
    "integer": (lambda x: jnp.asarray(3), "return a float"),
    "tuple": (lambda x: (jnp.sum(x), 1), "has_aux=True"),
    "none": (lambda x: None, "a NoneType"),
    "numpy": (lambda x: np.sum(np.asarray(x)), "write it with jax.numpy"),
    "branch": (lambda x: x[0] if x[0] > 0 else x[1], "jnp.where"),
}


@pytest.mark.parametrize(("loss", "message"), LOSSES.values(), ids=LOSSES)
def test_losses_refused(loss, message):
    with pytest.raises(TypeError, match=message):
        tw.minimize(loss, X, tw.SGD(0.1), stop=tw.Steps(1))
