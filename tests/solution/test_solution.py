"""The derivative of a solution, against closed forms and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64

FLOAT = np.float64 if X64 else np.float32
CLOSE = 1e-8 if X64 else 2e-3
RANDOM = np.random.default_rng(3)
A = RANDOM.normal(size=(20, 5)).astype(FLOAT)
B = RANDOM.normal(size=20).astype(FLOAT)
ZERO = np.zeros(5, FLOAT)
WEIGHT = FLOAT(0.7)


def squares(x, data):
    a, b = data
    return 0.5 * jnp.sum((a @ x - b) ** 2)


def ridge(weight, b=B):
    problem = tw.Problem(lambda x, data: squares(x, data) + 0.5 * weight * jnp.sum(x**2), (jnp.asarray(A), b))
    return tw.solution(problem, ZERO)


def ridge_inverse(weight=WEIGHT):
    return np.linalg.inv(A.T @ A + weight * np.eye(5))


def lasso(weight):
    problem = tw.Problem(squares, (A, B), nonsmooth=tw.L1(weight))
    return tw.solution(problem, ZERO, tolerance=None if X64 else 1e-2)


def with_value(derivative, function):
    """The derivative and the value, as one program."""
    return jax.jit(derivative(lambda *args: (function(*args),) * 2, has_aux=True))


@pytest.mark.parametrize(
    "jacobian",
    [pytest.param(jax.jacfwd, marks=pytest.mark.thorough), jax.jacrev],
    ids=["forward", "reverse"],
)
def test_ridge_regression_by_its_weight_and_its_data(jacobian):
    inverse = ridge_inverse()
    by_weight, by_data = jax.jit(jacobian(ridge, argnums=(0, 1)))(WEIGHT, jnp.asarray(B))
    np.testing.assert_allclose(by_weight, -inverse @ inverse @ A.T @ B, atol=CLOSE)
    np.testing.assert_allclose(by_data, inverse @ A.T, atol=CLOSE)


@pytest.mark.thorough
def test_many_weights_and_second_derivatives():
    inverse = ridge_inverse()
    weights = np.array([0.1, WEIGHT, 3.0], FLOAT)
    second, found = jax.jit(jax.vmap(with_value(jax.jacfwd, jax.jacrev(ridge))))(weights)
    np.testing.assert_allclose(second[1], 2 * inverse @ inverse @ inverse @ A.T @ B, atol=CLOSE)
    expected = [-ridge_inverse(w) @ ridge_inverse(w) @ A.T @ B for w in weights]
    np.testing.assert_allclose(found, expected, atol=10 * CLOSE)


@pytest.mark.thorough
def test_logistic_regression_against_finite_differences():
    labels = np.sign(B)

    def held_out(weight):
        def loss(p):
            return jnp.mean(jnp.logaddexp(0, -labels * (A @ p["w"] + p["b"]))) + weight * jnp.sum(p["w"] ** 2)

        p = tw.solution(loss, {"w": ZERO, "b": np.zeros((), FLOAT), "name": "held"})
        return jnp.sum(p["w"] ** 3) + p["b"] ** 2

    both, h = jax.jit(jax.value_and_grad(held_out)), 1e-4 if X64 else 1e-2
    difference = (both(FLOAT(0.05 + h))[0] - both(FLOAT(0.05 - h))[0]) / (2 * h)
    np.testing.assert_allclose(both(FLOAT(0.05))[1], difference, rtol=1e-4 if X64 else 0.1)


@pytest.mark.thorough
def test_lasso_by_its_weight():
    weight = FLOAT(2.0)
    slope, x = with_value(jax.jacrev, lasso)(weight)
    active = np.abs(x) > 0
    assert 0 < active.sum() < 5
    expected = np.zeros(5)
    expected[active] = -np.linalg.solve(A[:, active].T @ A[:, active], np.sign(x[active]))
    np.testing.assert_allclose(slope, expected, atol=CLOSE)
    forward = np.asarray(jax.jit(jax.jacfwd(lasso))(weight))
    np.testing.assert_allclose(forward, expected, atol=CLOSE)
    np.testing.assert_array_equal(forward[~active], 0)  # what a penalty holds does not move, not even by rounding


@pytest.mark.thorough
def test_bounds_that_bind_and_bounds_that_do_not():
    def boxed(high):
        return tw.solution(tw.Problem(squares, (A, B), bounds=tw.Bounds(-1.0, high)), ZERO)

    high = np.full(5, 0.1, FLOAT)
    jacobian, x = map(np.asarray, with_value(jax.jacrev, boxed)(high))
    bound = np.isclose(x, 0.1)
    free = ~bound
    assert 0 < bound.sum() < 5
    gram = A.T @ A
    np.testing.assert_allclose(jacobian[np.ix_(bound, bound)], np.eye(bound.sum()), atol=CLOSE)
    expected = -np.linalg.solve(gram[np.ix_(free, free)], gram[np.ix_(free, bound)])
    np.testing.assert_allclose(jacobian[np.ix_(free, bound)], expected, atol=CLOSE)
    np.testing.assert_allclose(jacobian[:, free], 0, atol=CLOSE)


def test_a_point_on_the_simplex():
    def nearest(y):
        return tw.solution(
            tw.Problem(lambda x: 0.5 * jnp.sum((x - y) ** 2), nonsmooth=tw.Simplex()), np.zeros(3, FLOAT)
        )

    jacobian = jax.jit(jax.jacrev(nearest))(np.array([0.6, 0.3, -2.0], FLOAT))
    np.testing.assert_allclose(jacobian, [[0.5, -0.5, 0], [-0.5, 0.5, 0], [0, 0, 0]], atol=CLOSE)


@pytest.mark.thorough
@pytest.mark.parametrize("method", [tw.LBFGS(), tw.TrustRegion(), tw.Nesterov(tw.Momentum(0.1))])
def test_the_method_and_the_start_do_not_matter(method):
    def by(center, x0):
        return tw.solution(lambda x: jnp.sum(jnp.cosh(x - center)), x0, method)

    by_center, by_start = jax.jit(jax.jacrev(by, argnums=(0, 1)))(np.arange(5, dtype=FLOAT) / 5, ZERO + 1)
    np.testing.assert_allclose(by_center, np.eye(5), atol=CLOSE)
    np.testing.assert_array_equal(by_start, 0)


def test_where_a_limited_run_ends_is_nan():
    limited = jax.jit(
        lambda w: tw.solution(lambda x: jnp.sum(w * jnp.cosh(x)), ZERO + 3, stop=tw.Steps(1), has_status=True)
    )
    x, status = limited(WEIGHT)
    assert status == tw.Status.STEP_LIMIT
    assert np.isnan(x).all()


@pytest.mark.thorough
def test_what_is_not_a_solution_is_nan():
    x, status = jax.jit(lambda w: tw.solution(lambda x: jnp.sum(w * x), ZERO, has_status=True))(WEIGHT)
    assert status == tw.Status.DIVERGED
    assert np.isnan(x).all()
    near = jax.jit(lambda w: tw.solution(lambda x: jnp.sum(w * x**2), ZERO + 1e-3, tolerance=0.1, stop=tw.Steps(1)))
    assert np.isfinite(near(WEIGHT)).all()


@pytest.mark.thorough
def test_a_singular_hessian_has_no_derivative():
    def flat(c):
        return tw.solution(lambda x: jnp.sum(x - c) ** 4, jnp.ones(2, FLOAT) * c)

    jacobian, x = with_value(jax.jacrev, flat)(WEIGHT)
    assert np.isfinite(x).all()
    assert np.isnan(jacobian).any()


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (lambda: tw.Problem(lambda x: jnp.sum(x**2), equality=lambda x: x[0] - 1), "equality constraints are not diff"),
        (lambda: tw.Problem(tw.GaussianMixture(2), A), "a latent-variable model has no gradient"),
        (lambda: tw.Problem(lambda x, key: jnp.sum(x**2)), "must be the same at every step"),
        (lambda: tw.Problem(squares, iter([(A, B)])), "must be the same at every step"),
    ],
)
def test_bad_problems_are_one_sentence(problem, sentence):
    with pytest.raises(ValueError, match=sentence):
        tw.solution(problem(), ZERO)


def test_bad_starts_and_minimize_under_a_transformation():
    with pytest.raises(TypeError, match="holds no floating-point array"):
        tw.solution(lambda x: x, 3)
    with pytest.raises(TypeError, match=r"tw\.solution differentiates the solution"):
        jax.grad(lambda w: jnp.sum(tw.minimize(lambda x: jnp.sum((x - w) ** 2), ZERO).x))(WEIGHT)
