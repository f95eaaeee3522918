"""Newton's methods: what they do where the Hessian is not positive definite, not finite, or almost singular."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.faults.chosen import chosen
from tests.helpers import EPS, X64, at_once, sampled, tol
from thalweg.problems import rosenbrock
from thalweg.solvers.descent import newton

METHODS = {"newton": tw.Newton(), "saddle-free": tw.SaddleFreeNewton(), "newton-cg": tw.NewtonCG()}
EVERY = pytest.mark.parametrize("method", sampled(METHODS, ["newton"]))
VALLEY = rosenbrock().problem.objective.fun


def valley(x, scale):
    """Rosenbrock's function."""
    return scale * VALLEY(x)


def saddle(x, _):
    """No gradient points off the line y = 0; the minima lie at y = +-sqrt(2)."""
    return x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4


def endless(x, _):
    return x[0] ** 2 - x[1] ** 2


def monkey(x, _):
    """All second derivatives vanish at 0."""
    return x[0] ** 3 - 3 * x[0] * x[1] ** 2


def linear(x, _):
    return -x[0] - 2.0 * x[1]


def jennrich_sampson(x, _):
    """Two exponentials; at x -> -inf the value is 2020, below that of the start, and nothing pulls back."""
    i = jnp.arange(1, 11, dtype=x.dtype)
    return jnp.sum((2 + 2 * i - jnp.exp(i * x[0]) - jnp.exp(i * x[1])) ** 2)


def box(x, _):
    """Box's three-dimensional function: exponentials, minimum 0."""
    t = 0.1 * jnp.arange(1, 11, dtype=x.dtype)
    fit = jnp.exp(-t * x[0]) - jnp.exp(-t * x[1]) - x[2] * (jnp.exp(-t) - jnp.exp(-10 * t))
    return jnp.sum(fit**2)


def walled(x, _):
    return jnp.sum(jnp.where(x < 1.5, jnp.sqrt(1 + (x - 1.0) ** 2), jnp.nan))


def power(x, _):
    """The second derivative of |x|^1.5 is infinite at 0."""
    return jnp.sum(jnp.abs(x) ** 1.5) + (x[1] - 1) ** 2


def flat(x, _):
    return jnp.sum(x) * 0.0 + 3.0


def kink(x, _):
    return jnp.sum(jnp.abs(x))


def unlike(x, _):
    """Curvatures 1 and 1e-8."""
    return 0.5 * x[0] ** 2 + 0.5e-8 * x[1] ** 2 + x[1]


PLANE = (unlike, valley, saddle, endless, monkey, linear, jennrich_sampson, walled, power, flat, kink)
"""All of two variables: one program for each method."""


def up_to(steps):
    """Of the default rule's structure, so no program of its own."""
    return tw.GradNorm(0.0) | tw.Steps(steps)


def solve(fun, x0, method="newton", number=1.0, **options):
    """A run whose failure is looked at, not warned about."""
    fun = chosen(PLANE if fun in PLANE else (fun,), fun, number)
    x0 = np.asarray(x0, jnp.result_type(float))
    return tw.minimize(fun, x0, METHODS[method], on_failure="ignore", **options)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: tw.Newton(modification="none"), 'modification must be "shift" or "absolute"'),
        (lambda: tw.Newton(damping=-1.0), "damping must be a finite number >= 0"),
        (lambda: tw.Newton(max_step=0), "max_step must be a finite number > 0"),
        (lambda: tw.NewtonCG(forcing=1.0), r"forcing must be in \(0, 1\)"),
        (lambda: tw.NewtonCG(max_iterations=0), "max_iterations must be a whole number >= 1"),
        (lambda: tw.NewtonCG(check=-1e-3), "check must be a finite number >= 0"),
    ],
)
def test_numbers_out_of_range_are_refused_in_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


# The matrix.


@pytest.mark.parametrize("entries", sampled([1, 40, 2**23], [40]))
def test_the_hessian_in_blocks_is_the_hessian(entries, monkeypatch):
    monkeypatch.setattr(newton, "BLOCK_ENTRIES", entries)
    a = np.random.default_rng(0).normal(size=(12, 5))
    problem = tw.Problem(lambda x, batch: jnp.mean(jnp.logaddexp(0.0, batch @ x)), a)
    x = np.linspace(-1.0, 1.0, 5, dtype=jnp.result_type(float))

    @jax.jit
    def both(x):
        return newton.dense_hessian(problem.objective, x), jax.hessian(problem.objective.value)(x)

    found, expected = both(x)
    np.testing.assert_allclose(found, expected, atol=10 * EPS)


def quadratic(matrix, x):
    return 0.5 * x @ matrix @ x


def headed(direction, matrix, x):
    problem = tw.Problem(jax.tree_util.Partial(quadratic, matrix))
    return direction(problem, problem.objective.evaluate(x), (), jax.random.key(0))


def heading(direction, matrix, x):
    """The direction on half a quadratic form."""
    return at_once(headed, direction, *(np.asarray(a, jnp.result_type(float)) for a in (matrix, x)))


def turned(values, seed=0):
    """A symmetric matrix with these eigenvalues."""
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))[0]
    return q @ np.diag(values) @ q.T, q


@pytest.mark.parametrize(
    ("modification", "modified"), [("shift", [2.0, 5.0, 8.0]), ("absolute", [2.0, 1.0, 4.0])], ids=["shift", "absolute"]
)
def test_negative_eigenvalues_are_modified_as_said(modification, modified):
    matrix, q = turned([-2.0, 1.0, 4.0])
    x = np.asarray([1.0, 2.0, 3.0])
    found = heading(newton.NewtonDirection(modification, damping=0.5), matrix, x)
    expected = -q @ ((q.T @ matrix @ x) / (np.asarray(modified) + 0.5))
    np.testing.assert_allclose(found.d, expected, rtol=tol(1e-12, 1e-4))
    assert float(found.curvature) == pytest.approx(-2.0, rel=tol(1e-12, 1e-4))
    assert bool(found.negative)
    assert float(np.asarray(found.d) @ (matrix @ x)) < 0


def test_damping_is_added_and_does_not_hide_negative_curvature():
    matrix, _ = turned([1.0, 2.0, 3.0])
    x = np.asarray([1.0, 2.0, 3.0])
    damped = heading(newton.NewtonDirection(damping=0.7), matrix, x)
    np.testing.assert_allclose(damped.d, -np.linalg.solve(matrix + 0.7 * np.eye(3), matrix @ x), rtol=tol(1e-12, 1e-4))
    saddle, _ = turned([-0.1, 2.0, 3.0])
    assert bool(heading(newton.NewtonDirection(damping=5.0), saddle, x).negative)


@pytest.mark.thorough
def test_a_step_is_no_longer_than_allowed():
    """Curvatures 1 and 1e-8: the full step has an entry of 1e8."""
    x0, stop = np.zeros(2, jnp.result_type(float)), up_to(3)
    trace = tw.minimize(chosen(PLANE, unlike, 1.0), x0, tw.Newton(max_step=3.0), stop=stop).trace
    np.testing.assert_allclose(trace.step_size[0], 3e-8, rtol=tol(1e-9, 1e-3))


def test_a_quadratic_takes_one_step():
    matrix, _ = turned([0.01, 1.0, 4.0])

    def bowl(x):
        return 0.5 * (x - 1) @ jnp.asarray(matrix, x.dtype) @ (x - 1)

    result = tw.minimize(bowl, np.asarray([3.0, 0.0, -2.0], jnp.result_type(float)), tw.Newton())
    assert result.steps == 1
    np.testing.assert_allclose(result.x, 1.0, rtol=tol(1e-9, 1e-3))
    assert result.trace.evals.hvp[0] == 3


# Saddles.


@pytest.mark.thorough
@EVERY
def test_a_saddle_is_left(method):
    for x0 in ([1.0, 0.0], [0.0, 0.0], [1e-5, 0.0]):
        result = solve(saddle, x0, method)
        assert result.status == tw.Status.CONVERGED
        np.testing.assert_allclose(np.abs(result.x), [0.0, np.sqrt(2)], atol=tol(1e-6, 1e-3))
        assert "no negative curvature" in result.advice[0]


@EVERY
def test_a_saddle_counts_as_not_optimal(method):
    assert solve(saddle, [0.0, 0.0], method, stop=up_to(1)).trace.optimality[0] == pytest.approx(2.0, rel=1e-3)


@EVERY
@pytest.mark.parametrize(
    ("fun", "x0"),
    [
        (endless, [1.0, 0.0]),
        (monkey, [1.0, 0.0]),
        (linear, [0.0, 1.5]),
    ],
    ids=["saddle", "monkey saddle", "linear"],
)
def test_an_objective_without_a_minimum_has_diverged_along_a_named_ray(method, fun, x0):
    result = solve(fun, x0, method)
    assert result.status == tw.Status.DIVERGED and not result.ok
    assert "Unbounded below along x[" in result.advice[0]


@EVERY
def test_a_monkey_saddle_has_no_second_derivative_to_tell(method):
    """All second derivatives vanish at 0: there, and only there, it passes for a flat minimum."""
    result = solve(monkey, [0.0, 0.0], method)
    assert result.status == tw.Status.CONVERGED and result.steps == 0


# Plateaus, walls, scales.


@pytest.mark.skipif(not X64, reason="the gradient's tolerance is below float32's noise")
@EVERY
@pytest.mark.parametrize(
    ("fun", "x0", "minimum"),
    [
        pytest.param(jennrich_sampson, [0.3, 0.4], 124.362, id="jennrich-sampson"),
        pytest.param(box, [0.0, 10.0, 20.0], 0.0, id="box", marks=pytest.mark.thorough),
    ],
)
def test_no_first_step_ends_on_a_plateau(method, fun, x0, minimum):
    result = solve(fun, x0, method)
    assert result.status == tw.Status.CONVERGED
    assert result.value == pytest.approx(minimum, rel=1e-5, abs=1e-10)


@EVERY
def test_a_wall_is_backed_away_from(method):
    result = solve(walled, [-5.0, 0.5], method)
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=tol(1e-6, 1e-3))


@EVERY
def test_a_hessian_that_is_not_finite_is_no_hessian(method):
    """The second derivative of |x|^1.5 is infinite at 0: there, the function passes for a linear one."""
    result = solve(power, [0.0, 3.0], method)
    assert np.all(np.isfinite(result.x))
    assert abs(float(result.x[1]) - 0.48025) < tol(1e-4, 1e-2)


@pytest.mark.skipif(not X64, reason="beyond float32's range")
@EVERY
@pytest.mark.parametrize("scale", [1e200, 1e-6])
def test_a_scaled_objective_is_solved(method, scale):
    stop = tw.GradNorm(1e-9 * min(scale, 1)) | tw.Steps(200)
    result = solve(valley, [-1.2, 1.0], method, scale, stop=stop)
    assert result.status == tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)


@EVERY
def test_a_flat_objective_converges_at_once(method):
    result = solve(flat, [1.0, 2.0], method)
    assert result.status == tw.Status.CONVERGED and result.steps == 0


@EVERY
def test_a_kink_is_not_success(method):
    assert not solve(kink, [0.3, 1.0], method).ok
