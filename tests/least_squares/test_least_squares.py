"""Least squares: MINPACK beside it, trees and data, ranks and units, true counts, other problems refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares as scipy_least_squares

import thalweg as tw
from tests.faults.chosen import Chosen, chosen
from tests.helpers import X64, Counted, at_once, sampled, tol
from tests.least_squares.problems import PROBLEMS
from thalweg.solvers.least_squares.model import eigendecomposition

METHODS = {
    "dense": tw.LevenbergMarquardt(),
    "products": tw.LevenbergMarquardt(dense=False),
    "gauss-newton": tw.GaussNewton(),
}
EVERY = pytest.mark.parametrize("method", sampled(METHODS, ["dense"]))
WIDE = np.float64 if X64 else np.float32


def valley(x, scale):
    """Rosenbrock's function."""
    return scale * PROBLEMS["rosenbrock"][0](x, jnp)


def logarithm(x, _):
    """Not defined beyond 0."""
    return jnp.log(x) - 1.0


PLANE = (valley, logarithm)
"""Two residuals of two variables: one program for each method."""


def osborne(x, units):
    """In other units of the variables."""
    return PROBLEMS["osborne"][0](x * units, jnp)


def in_units(units):
    return Chosen((osborne,), np.asarray(0, np.int32), units)


def solve(residuals, x0, method="dense", **options):
    """A run whose failure is looked at, not warned about."""
    return tw.minimize(tw.LeastSquares(residuals), x0, METHODS[method], on_failure="ignore", **options)


@pytest.mark.skipif(not X64, reason="SciPy computes in float64")
@pytest.mark.parametrize("case", sampled(PROBLEMS, ["osborne"]))
def test_no_more_evaluations_than_minpack(case):
    """We: to a relative 1e-6 of the printed minimum. MINPACK, scaled by the Jacobian: to its own tests at 1e-8."""
    fun, x0, best = PROBLEMS[case]
    jacobian = jax.jit(jax.jacobian(lambda x: fun(x, jnp)))
    theirs = scipy_least_squares(
        lambda x: fun(x, np), x0, jac=lambda x: np.asarray(jacobian(x)), method="lm", x_scale="jac", max_nfev=1000
    )
    ours = solve(lambda x: fun(x, jnp), np.asarray(x0), stop=tw.GradNorm(1e-8) | tw.Steps(1000))
    assert 2 * ours.value <= best * (1 + 1e-6) + 1e-12
    reached = np.flatnonzero(2 * ours.trace.value <= best * (1 + 1e-6) + 1e-12)[0]
    assert reached + 1 <= theirs.nfev + 2
    if case != "meyer":  # whose gradient is rounding of residuals of 3e4 times slopes of 1e6
        assert ours.status is tw.Status.CONVERGED


@pytest.mark.skipif(not X64, reason="a plateau of exponentials in float32 is flat in every digit")
def test_an_exponential_fit_is_not_left_for_its_plateau():
    """Where both decays are complete nothing depends on the rates: a huge first step would end there."""
    best = PROBLEMS["osborne"][2]
    for start in ([0.5, 1.5, -1.0, 0.01, 0.02], [0.5, 1.0, -0.5, 0.02, 0.03], [1.0, 1.0, -1.0, 0.005, 0.04]):
        result = solve(in_units(np.ones(5)), np.asarray(start))
        assert result.status is tw.Status.CONVERGED
        assert 2 * result.value == pytest.approx(best, rel=1e-6)


@EVERY
def test_trees_data_and_mixed_dtypes(method):
    """Parameters and residuals are trees, and data are passed on."""
    t = np.linspace(0.0, 1.0, 20, dtype=np.float32)
    truth = {"rate": np.float32(1.5), "level": np.asarray([2.0, -0.5], np.float32)}

    def misfit(p, data):
        t, y = data
        decay = jnp.exp(-p["rate"].astype(WIDE) * t.astype(WIDE))
        return {"curve": (p["level"][0] * decay + p["level"][1] - y.astype(WIDE)), "prior": (1e-3 * (p["rate"] - 1.5),)}

    y = truth["level"][0] * np.exp(-truth["rate"] * t) + truth["level"][1]
    x0 = {"rate": np.asarray(0.3, np.float32), "level": np.asarray([1.0, 0.0], WIDE)}
    problem = tw.Problem(tw.LeastSquares(misfit), (t, y.astype(np.float32)))
    result = tw.minimize(problem, x0, METHODS[method], stop=tw.GradNorm(1e-5) | tw.Steps(100), on_failure="ignore")
    assert result.status is tw.Status.CONVERGED
    assert result.x["rate"].dtype == np.float32
    assert result.x["level"].dtype == WIDE
    assert result.x["rate"] == pytest.approx(1.5, abs=2e-3)
    assert result.evals.examples == 20 * (result.evals.value + result.evals.hvp)


@EVERY
def test_counts_are_true(method):
    loss = Counted(lambda x: PROBLEMS["kowalik-osborne"][0](x, jnp))
    result = solve(loss, np.asarray([0.25, 0.39, 0.415, 0.39]), method, stop=tw.Steps(6))
    assert loss.count == result.evals.value
    if method != "gauss-newton":
        np.testing.assert_array_equal(result.trace.evals.value, 2)
        np.testing.assert_array_equal(result.trace.evals.gradient, 1)
    if method != "products":
        np.testing.assert_array_equal(result.trace.evals.hvp, 4)


@pytest.mark.parametrize("method", sampled(["dense", "gauss-newton"], ["dense"]))
def test_a_linear_problem_takes_one_step_without_squaring_the_condition_number(method):
    """Condition number 1e9: the normal equations would lose all digits."""
    rng = np.random.default_rng(0)
    u, v = np.linalg.qr(rng.normal(size=(12, 4)))[0], np.linalg.qr(rng.normal(size=(4, 4)))[0]
    condition = tol(1e9, 1e4)
    a = u @ np.diag(np.logspace(0, -np.log10(condition), 4)) @ v
    truth = np.ones(4)
    matrix, target = np.asarray(a, WIDE), np.asarray(a @ truth, WIDE)
    chosen_method = tw.change(METHODS[method], radius=1e3) if method == "dense" else METHODS[method]
    problem = tw.Problem(tw.LeastSquares(lambda x: matrix @ x - target))
    result = tw.minimize(problem, np.zeros(4, WIDE), chosen_method, stop=tw.Steps(1), on_failure="ignore")
    np.testing.assert_allclose(result.x, truth, atol=tol(1e-5, 3e-2))


@EVERY
@pytest.mark.parametrize("m", sampled([1, 3], [3]))
def test_fewer_residuals_than_variables(method, m):
    """A solution is found, and what no residual depends on together stays where it was."""
    matrix = np.asarray(np.random.default_rng(0).normal(size=(m, 5)), WIDE)
    result = solve(lambda x: jnp.sinh(matrix @ x) - 1.0, np.zeros(5, WIDE), method)
    assert result.status is tw.Status.CONVERGED
    assert result.value < tol(1e-15, 1e-6)
    null = np.linalg.svd(np.asarray(matrix))[2][m:]
    if method != "dense":  # which measures steps by the columns' norms
        np.testing.assert_allclose(null @ np.asarray(result.x), 0, atol=tol(1e-8, 1e-3))


@EVERY
def test_a_jacobian_that_loses_rank_is_no_obstacle(method):
    result = solve(lambda x: jnp.stack([x[0] + x[1] - 2.0, 2 * (x[0] + x[1]) - 4.0, (x[0] + x[1]) ** 2 - 4.0]),
                   np.asarray([0.3, 0.3], WIDE), method)  # fmt: skip
    assert result.status is tw.Status.CONVERGED
    assert np.sum(result.x) == pytest.approx(2.0, abs=tol(1e-6, 1e-3))


@pytest.mark.skipif(not X64, reason="units of 1e-8 and 1e8 leave float32's precision")
def test_units_of_the_variables_do_not_enter():
    units = np.asarray([1e6, 1.0, 1e-4, 1e8, 1e-8])
    x0 = np.asarray(PROBLEMS["osborne"][1])
    stop = tw.GradNorm(0.0) | tw.Steps(8)
    plain = solve(in_units(np.ones(5)), x0, stop=stop)
    other = solve(in_units(units), x0 / units, stop=stop)
    np.testing.assert_allclose(other.trace.value, plain.trace.value, rtol=1e-6)


@pytest.mark.skipif(not X64, reason="beyond float32's range")
@pytest.mark.parametrize("scale", [1e100, 1e-3])
@EVERY
def test_scaled_residuals_are_solved(method, scale):
    result = solve(
        chosen(PLANE, valley, scale), np.asarray([-1.2, 1.0]), method, stop=tw.GradNorm(1e-7 * scale**2) | tw.Steps(300)
    )
    np.testing.assert_allclose(result.x, 1.0, atol=1e-5)


@EVERY
def test_a_wall_is_backed_away_from(method):
    """The first full step leads beyond it."""
    result = solve(chosen(PLANE, logarithm), np.asarray([30.0, 1e-2], WIDE), method)
    assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, np.e, rtol=tol(1e-6, 1e-3))


def test_nothing_is_said_of_curvature_that_the_model_does_not_know():
    result = solve(chosen(PLANE, valley), np.asarray([-1.2, 1.0], WIDE))
    assert result.trace.extra is None or "curvature" not in result.trace.extra
    assert "a saddle is possible" in result.advice[0]


@EVERY
def test_a_function_without_residuals_is_refused_in_one_sentence(method):
    title = "GaussNewton" if method == "gauss-newton" else "LevenbergMarquardt"
    with pytest.raises(ValueError, match=rf"{title} needs residuals \(tw.LeastSquares\)"):
        tw.minimize(lambda x: jnp.sum(x**2), np.ones(2), METHODS[method])


def test_a_sum_of_squares_is_not_an_array_of_residuals():
    with pytest.raises(TypeError, match="return the residuals themselves"):
        solve(lambda x: 3, np.ones(2))


def test_the_factors_are_those_of_the_square():
    rng = np.random.default_rng(1)
    for shape in ((6, 3), (3, 6), (4, 4)):
        j, r = rng.normal(size=shape), rng.normal(size=shape[0])
        found = at_once(eigendecomposition, np.asarray(j, WIDE), np.asarray(r, WIDE), 0)
        values, vectors, slopes = map(np.asarray, found[:3])
        assert np.all(np.diff(values) >= 0)
        np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, j.T @ j, atol=tol(1e-12, 1e-4))
        np.testing.assert_allclose(vectors @ slopes, j.T @ r, atol=tol(1e-12, 1e-4))


@pytest.mark.parametrize(("n", "dense"), [(3, True), pytest.param(501, False, marks=pytest.mark.thorough)])
def test_it_is_the_default_for_residuals(n, dense):
    problem = tw.Problem(tw.LeastSquares(lambda x: x - 1.0))
    found = tw.suggest(problem, np.zeros(n))
    assert found.reason.startswith("Levenberg-Marquardt")
    assert isinstance(found.method.subproblem, tw.trust_region.ExactStep) == dense
    assert tw.minimize(problem, np.zeros(n)).ok
