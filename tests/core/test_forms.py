"""The forms of an objective: functions, residuals, latent-variable models; and what a problem offers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import at_once, tol
from thalweg.core.oracle import Oracle


def real(values):
    """An array in the float in use."""
    return np.asarray(values, jnp.result_type(float))


def test_least_squares_is_half_the_squared_norm_of_the_residuals():
    a, b = real([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), real([1.0, 0.0, -1.0])
    objective = tw.Problem(tw.LeastSquares(lambda x: a @ x - b)).objective
    x = real([0.3, -0.7])
    residual = a @ x - b
    value, grad, hvp = jax.jit(lambda x, v: (objective.value(x), objective.evaluate(x).grad, objective.hvp(x, v)))(
        x, real([1.0, 0.0])
    )
    assert float(value) == pytest.approx(0.5 * float(residual @ residual))
    np.testing.assert_allclose(grad, a.T @ residual, rtol=tol(1e-12, 1e-5))
    np.testing.assert_allclose(hvp, (a.T @ a)[:, 0], rtol=tol(1e-12, 1e-5))


def test_residuals_on_data_may_be_a_tree():
    t = real(np.linspace(0, 1, 20))
    data = (t, real(2.0 * np.exp(-1.5 * t)))

    def residuals(p, batch):
        time, observed = batch
        return {"fit": p["a"] * jnp.exp(-p["k"] * time) - observed, "prior": 1e-9 * p["a"]}

    result = tw.minimize(tw.Problem(tw.LeastSquares(residuals), data), {"a": real(1.0), "k": real(0.0)})
    assert result.ok
    assert float(result.x["a"]) == pytest.approx(2.0, abs=tol(1e-6, 1e-2))
    assert float(result.x["k"]) == pytest.approx(1.5, abs=tol(1e-6, 1e-2))


def test_residuals_must_be_arrays():
    with pytest.raises(TypeError, match="return the residuals themselves"):
        tw.minimize(tw.Problem(tw.LeastSquares(lambda x: "r")), real([1.0]))


class TwoCoins(tw.LatentModel):
    """Each row of ten tosses comes from one of two coins, chosen at random; parameters are logits."""

    def init(self, key, data):
        return {"heads": jnp.asarray([-0.5, 0.5], jnp.result_type(float)) + 0.1 * jax.random.normal(key, (2,))}

    def log_likelihood(self, params, data):
        heads = data[:, None]
        log_p, log_q = jax.nn.log_sigmoid(params["heads"]), jax.nn.log_sigmoid(-params["heads"])
        return jax.nn.logsumexp(heads * log_p + (10 - heads) * log_q, axis=1) - jnp.log(2.0)

    def expect(self, params, data):
        heads = data[:, None]
        log_p, log_q = jax.nn.log_sigmoid(params["heads"]), jax.nn.log_sigmoid(-params["heads"])
        joint = heads * log_p + (10 - heads) * log_q
        weight = jax.nn.softmax(joint, axis=1)
        log_likelihood = jnp.mean(jax.nn.logsumexp(joint, axis=1)) - jnp.log(2.0)
        return log_likelihood, (jnp.mean(weight * heads, 0), jnp.mean(weight, 0))

    def maximize(self, statistics):
        heads, weight = statistics
        return {"heads": jax.scipy.special.logit(heads / (10 * weight))}


def tosses():
    """Three rows of one coin, three of another."""
    return real([2.0, 3.0, 2.0, 8.0, 7.0, 8.0])


def test_a_latent_model_draws_its_own_start_and_its_value_is_the_mean_negative_log_likelihood():
    problem = tw.Problem(TwoCoins(), data=tosses())
    result = tw.minimize(problem)
    expected = -np.mean(at_once(TwoCoins.log_likelihood, TwoCoins(), result.x, tosses()))
    assert result.ok
    assert result.value == pytest.approx(float(expected), rel=1e-6)
    probabilities = np.sort(1 / (1 + np.exp(-np.asarray(result.x["heads"]))))
    np.testing.assert_allclose(probabilities, [0.235, 0.765], atol=0.02)


def test_an_em_step_never_lowers_the_likelihood():
    model, params, data = TwoCoins(), {"heads": real([-0.1, 0.2])}, tosses()

    def em(params, _):
        return model.maximize(model.expect(params, data)[1]), model.log_likelihood(params, data).sum()

    likelihoods = np.asarray(jax.jit(lambda params: jax.lax.scan(em, params, length=6)[1])(params))
    assert np.all(np.diff(likelihoods) >= -1e-6)


def test_a_latent_model_without_data_is_refused():
    with pytest.raises(ValueError, match="needs data"):
        tw.Problem(TwoCoins())


@pytest.mark.parametrize(
    ("parts", "present"),
    [
        ({}, set()),
        ({"nonsmooth": tw.L1(0.1)}, {Oracle.NONSMOOTH}),
        ({"bounds": tw.Bounds(0.0, 1.0)}, {Oracle.BOUNDS}),
        ({"equality": lambda x: x[0]}, {Oracle.EQUALITY}),
        ({"inequality": lambda x: x[0]}, {Oracle.INEQUALITY}),
    ],
)
def test_a_problem_offers_its_parts(parts, present):
    problem = tw.Problem(lambda x: jnp.sum(x**2), **parts)
    assert problem.parts(real([1.0, 2.0])) == present
    assert {Oracle.VALUE, Oracle.GRADIENT, Oracle.HVP, Oracle.WHOLE} <= problem.offers(real([1.0]))


def test_a_batch_is_the_same_problem_that_is_no_longer_whole():
    problem = tw.Problem(lambda x, batch: jnp.mean(batch) * x, real([1.0, 2.0, 3.0]))
    batch = problem.on(real([5.0]))
    assert float(batch.value(real(2.0))) == 10.0
    assert Oracle.BATCHES in batch.offers(real(2.0))
    assert Oracle.WHOLE not in batch.offers(real(2.0))
    assert problem.offers(real(2.0)) >= {Oracle.WHOLE, Oracle.FINITE_SUM}


def test_infeasibility_is_the_largest_violation():
    problem = tw.Problem(
        lambda x: jnp.sum(x), equality=lambda x: x[0] - 1.0, inequality=lambda x: x - 3.0, bounds=tw.Bounds(0.0, 10.0)
    )
    assert float(problem.infeasibility(real([1.0, 2.0]))) == 0.0
    assert float(problem.infeasibility(real([1.5, 2.0]))) == 0.5
    assert float(problem.infeasibility(real([1.0, 7.0]))) == 4.0
    assert float(problem.infeasibility(real([1.0, -2.0]))) == 2.0


def test_integer_variables_offer_no_gradient():
    problem = tw.Problem(lambda x: jnp.sum(x).astype(float))
    offers = problem.offers(jnp.arange(3))
    assert Oracle.INTEGERS in offers
    assert Oracle.GRADIENT not in offers
