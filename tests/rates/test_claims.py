"""The claims of the registry, measured: each holds, and none is so weak that it says nothing."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, at_once, iterates, zoo
from thalweg.problems import Known, quadratic

pytestmark = pytest.mark.skipif(not X64, reason="float32 ends a rate after a few digits")

ROUNDING = 1e-13
"""Gaps below this fraction of the first are not measured."""
SHARP = 5.0
"""A claim may promise a fifth of what is measured (in the logarithm), not less."""


def rows(kind: type) -> list[str]:
    """The rows with a claim of one kind."""
    return [name for name, row in tw.METHODS.items() if isinstance(row.claim, kind)]


def gaps(known: Known, method, steps: int) -> np.ndarray:
    """`F(x_t) - F*` until rounding takes over."""
    stop = tw.GradNorm(0.0) | tw.Steps(steps)  # the default rule's form: the battery's run has the same program
    trace = tw.minimize(known.problem, known.x0, method, stop=stop, on_failure="ignore").trace
    gap = trace.value - known.minimum
    small = np.flatnonzero(gap <= ROUNDING * gap[0])
    return gap[: small[0]] if len(small) else gap


def errors(known: Known, method, steps: int) -> np.ndarray:
    """The largest entry of `x_t - x*` until rounding takes over: values of infeasible points prove nothing."""
    xs = np.asarray(iterates(known.problem, method, known.x0, steps))
    error = np.abs(xs - known.argmin).max(axis=1)
    small = np.flatnonzero(error <= np.sqrt(ROUNDING) * error[0])
    return error[: small[0]] if len(small) else error


def fitted_rate(gap: np.ndarray) -> float:
    """The factor a step of the straight line through the logarithms."""
    return float(np.exp(np.polyfit(np.arange(len(gap)), np.log(gap), 1)[0]))


def test_the_whole_registry_is_measured_here():
    kinds = typing.get_args(tw.registry.Promise)
    assert sorted(name for kind in kinds for name in rows(kind)) == sorted(tw.METHODS)


@pytest.mark.parametrize("name", rows(tw.registry.LinearRate))
def test_linear(name):
    row = tw.METHODS[name]
    known, claim = zoo(row.claim.on), row.claim
    gap = (errors if claim.of == "x" else gaps)(known, row.solver(claim.on), 1500)
    t = np.arange(len(gap))
    assert len(gap) > 10
    rate = fitted_rate(gap / np.maximum(t, 1.0) ** claim.power)
    assert rate <= claim.rate
    assert np.all(gap <= 4 * gap[0] * (t + 1.0) ** claim.power * claim.rate**t)
    assert np.log(rate) >= SHARP * np.log(claim.rate), "the claim is too weak"


@pytest.mark.parametrize("name", ["sgd", "steepest-descent"])
def test_a_fixed_step_contracts_at_every_step(name):
    gap = gaps(quadratic(), tw.METHODS[name].example("quadratic"), 1500)
    assert np.all(gap[1:] <= tw.METHODS[name].claim.rate * gap[:-1] * (1 + 1e-12))


@pytest.mark.parametrize("condition", [10.0, 1e4])
def test_the_heavy_ball_pays_for_the_root_of_the_condition_number(condition):
    """Polyak 1964, with his rate and beta: the value falls like t^2 ((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^(2 t)."""
    root = np.sqrt(condition)
    beta = ((root - 1) / (root + 1)) ** 2
    gap = gaps(quadratic(condition=condition), tw.Momentum((2 / (1 + 1 / root)) ** 2, beta), 2000)
    t = np.arange(len(gap))
    assert np.all(gap <= 4 * gap[0] * (t + 1.0) ** 2 * beta**t)
    assert np.log(fitted_rate(gap / np.maximum(t, 1.0) ** 2)) == pytest.approx(np.log(beta), rel=0.03)
    assert fitted_rate(gap) < (1 - 1 / condition) ** 2, "gradient descent at the rate 1 / L"


def constant(method: tw.FISTA | tw.ScheduleFree, known: Known) -> float:
    """Beck & Teboulle 2009, theorem 4.4, with backtracking from `step_size`.

    For an average of points that contract by `1 - eta mu`: they add up to `distance / (eta mu)` at most.
    """
    distance = np.sum((np.asarray(known.x0) - known.argmin) ** 2)
    if isinstance(method, tw.ScheduleFree):
        return known.smoothness / 2 * distance / (method.rule.learning_rate * known.convexity) ** 2
    return 2 * max(known.smoothness / method.decrease, 1 / method.step_size) * distance


@pytest.mark.parametrize("name", rows(tw.registry.SublinearRate))
def test_sublinear(name):
    row = tw.METHODS[name]
    known, claim = zoo(row.claim.on), row.claim
    assert (claim.of, claim.order) == ("value", 2)
    gap = gaps(known, row.example(claim.on), 300)
    t = np.arange(len(gap)) + 1
    exponent = -np.polyfit(np.log(t), np.log(gap), 1)[0]
    assert len(gap) > 10
    assert exponent >= claim.order
    assert np.max(t**claim.order * gap) <= constant(row.example(claim.on), known)


@pytest.mark.parametrize("name", rows(tw.registry.SuperlinearRate))
def test_superlinear(name):
    """At the end every ratio is far smaller than the one before."""
    row = tw.METHODS[name]
    known, claim = zoo(row.claim.on), row.claim
    assert claim.of == "value"
    gap = gaps(known, row.example(claim.on), 100)
    ratios = (gap[1:] / gap[:-1])[-3:]
    assert np.all(ratios[1:] < claim.by * ratios[:-1])
    assert ratios[-1] < claim.by**3


@pytest.mark.parametrize("name", rows(tw.registry.QuadraticRate))
def test_quadratic(name):
    """Within half a unit of the minimum the factor is reached, and not by far missed; or the gradient's last steps."""
    row = tw.METHODS[name]
    known, claim = zoo(row.claim.on), row.claim
    if claim.of == "optimality":
        stop = tw.GradNorm(1e-13) | tw.Steps(100)
        trace = tw.minimize(known.problem, known.x0, row.example(claim.on), stop=stop, on_failure="ignore").trace
        last = trace.optimality[trace.optimality > 1e-13][-3:]
        assert last[-1] < 1e-5
        assert np.all(last[1:] <= claim.factor * last[:-1] ** 2)
        assert np.all(last[1:] < 0.3 * last[:-1])
        return
    error = errors(known, row.example(claim.on), 30)
    near = error[error < 0.5]
    factors = near[1:] / near[:-1] ** 2
    assert len(near) >= 3
    assert np.max(factors) <= claim.factor
    assert np.max(factors) >= claim.factor / SHARP, "the claim is too weak"
    assert near[-1] < 0.02 * near[-2]


@pytest.mark.thorough
@pytest.mark.parametrize("solver", [tw.LevenbergMarquardt(radius=2.0), tw.GaussNewton()], ids=["lm", "plain"])
@pytest.mark.parametrize("bend", [0.5, -0.3])
def test_gauss_newton_steps_are_linear_where_residuals_stay(solver, bend):
    """Residuals x + 1 and bend x^2 + x - 1: at 0 the model's curvature is 2, the true one 2 - 2 bend."""
    problem = tw.Problem(tw.LeastSquares(lambda x: jnp.stack([x + 1, bend * x**2 + x - 1])))
    trace = tw.minimize(problem, np.asarray(0.01), solver, stop=tw.Steps(9)).trace
    np.testing.assert_allclose(trace.optimality[4:] / trace.optimality[3:-1], abs(bend), rtol=0.02)


@pytest.mark.parametrize("name", rows(tw.registry.FiniteTermination))
def test_finite(name):
    row = tw.METHODS[name]
    known, claim = zoo(row.claim.on), row.claim
    assert claim.of == "value"
    assert len(gaps(known, row.solver(claim.on), 2 * claim.steps)) in (claim.steps, claim.steps - 1)


@pytest.mark.parametrize("formula", ["hager-zhang", "polak-ribiere"])
@pytest.mark.parametrize("dimension", [3, pytest.param(7, marks=pytest.mark.thorough)])
def test_conjugate_gradients_with_exact_search_end_after_n_steps(formula, dimension):
    known, method = quadratic(dimension), tw.ConjugateGradient(formula, search=tw.line_search.ExactSearch())
    assert len(gaps(known, method, 30)) == dimension
    trace = tw.minimize(known.problem, known.x0, method, stop=tw.Steps(dimension)).trace
    assert np.all(trace.evals.hvp == 1)
    assert np.all(trace.evals.value[1:] == 1), "the closed form is verified, not searched"


@pytest.mark.thorough
@pytest.mark.parametrize("condition", [4.0, 100.0])
def test_steepest_descent_with_exact_search_from_the_worst_start(condition):
    """From (kappa, 0, 1) in the axes the value falls by exactly ((kappa - 1) / (kappa + 1))^2 at every step."""
    a = np.array([1 / condition, 0.5, 1.0])
    worst = Known(tw.Problem(lambda x: 0.5 * jnp.sum(a * x**2)), np.array([condition, 0.0, 1.0]), 0.0)
    gap = gaps(worst, tw.SteepestDescent(tw.line_search.ExactSearch()), 60)
    np.testing.assert_allclose(gap[1:] / gap[:-1], ((condition - 1) / (condition + 1)) ** 2, rtol=1e-6)
    anywhere = gaps(quadratic(condition=condition), tw.SteepestDescent(tw.line_search.ExactSearch()), 60)
    assert np.all(anywhere[1:] <= ((condition - 1) / (condition + 1)) ** 2 * anywhere[:-1] * (1 + 1e-9))


def test_polyak_steps_never_leave_a_minimizer():
    known = zoo("least-squares")
    for scale in (0.5, 1.0, 1.9):
        xs = np.asarray(iterates(known.problem, tw.PolyakDescent(known.minimum, scale), known.x0, 40))
        away = np.linalg.norm(xs - known.argmin, axis=1)
        bound = np.sqrt(1 - scale * (2 - scale) * known.convexity / (4 * known.smoothness))
        far = away[:-1] > 1e-6  # nearer the difference of two values is rounding
        assert np.all(away[1:][far] <= bound * away[:-1][far])


@pytest.mark.parametrize(
    "method",
    [tw.TrustRegion(), pytest.param(tw.NewtonCG(), marks=pytest.mark.thorough)],
    ids=["trust-region", "newton-cg"],
)
def test_truncated_newton_steps_are_of_order_three_halves(method):
    """The forcing term min(1/10, sqrt|g|): near the minimum |g_next| / |g|^(3/2) neither grows nor vanishes."""
    a = np.logspace(0, 3, 50)

    def convex(x):
        return 0.5 * jnp.sum(jnp.asarray(a) * x**2) + jnp.sum(jnp.exp(x))

    stop = tw.GradNorm(1e-12) | tw.Steps(100)
    constants = []
    for start in (1.0, 0.5, -1.0):  # from one alone, rounding decides how many steps end near the minimum
        optimality = tw.minimize(convex, np.full(50, start), method, stop=stop).trace.optimality
        near = optimality[(optimality < 0.2) & (optimality > 1e-11)]  # below it is rounding
        assert len(near) >= 4
        constants.extend(near[1:] / near[:-1] ** 1.5)
    assert len(constants) >= 12
    assert min(constants) > 0.02  # a quadratic rate would come to 1e-5
    assert max(constants) < 5.0


def test_acceleration_shows_where_gradient_descent_breaks_the_bound():
    """On a badly conditioned quadratic the bound separates the two; on the easy lasso both would keep it."""
    known, method = quadratic(condition=1e4), tw.FISTA()
    bound = constant(method, known)
    fast, slow = gaps(known, method, 2000), gaps(known, tw.SGD(1.0), 2000)
    assert np.max((np.arange(len(fast)) + 1) ** 2 * fast) <= bound
    assert np.max((np.arange(len(slow)) + 1) ** 2 * slow) > 5 * bound


@pytest.mark.parametrize("name", rows(tw.registry.Neighborhood))
def test_neighborhood(name):
    row = tw.METHODS[name]
    known, claim = zoo(row.claim.on), row.claim
    assert claim.of == "x"
    radii = []
    for rate in (0.5, 0.2, 0.05):
        solver = tw.change(row.solver(claim.on), learning_rate=rate)
        xs = np.asarray(iterates(known.problem, solver, known.x0, 5000))
        radii.append(np.abs(xs[round(claim.after / rate) :] - known.argmin).max() / rate)
    assert max(radii) <= claim.radius
    assert max(radii) >= claim.radius / SHARP, "the claim is too weak"


@pytest.mark.parametrize("name", rows(tw.registry.SuccessRate))
def test_reaches(name):
    row = tw.METHODS[name]
    known, claim = zoo(row.claim.on), row.claim

    def found(steps: int) -> float:
        """The fraction of 64 runs that end at the minimum."""
        method = row.solver(claim.on)
        values = tw.minimize(known.problem, known.x0, method, stop=tw.Steps(steps), restarts=64).restarts.values
        return np.mean(values <= known.minimum * (1 + 1e-12))

    assert found(claim.steps) >= claim.probability
    assert found(max(claim.steps // int(SHARP), 1)) < claim.probability, "the claim is too weak"


@pytest.mark.thorough
@pytest.mark.parametrize("fraction", [0.1, 0.4])
def test_backtracking_keeps_its_bound_where_it_backtracks(fraction):
    """Boyd & Vandenberghe 2004, section 9.3: the factor 1 - min(2 mu alpha, 2 alpha beta mu / L) at every step."""
    scale, known = 7.0, quadratic()
    steep, mu = Known(tw.Problem(lambda x: scale * known.problem.value(x)), known.x0, 0.0), scale * known.convexity
    search = tw.line_search.Backtracking(fraction, decrease=0.6)
    gap = gaps(steep, tw.SteepestDescent(search), 400)
    bound = 1 - min(2 * mu * fraction, 2 * fraction * search.decrease * mu / scale)
    assert np.all(gap[1:] <= bound * gap[:-1])
    trace = tw.minimize(steep.problem, steep.x0, tw.SteepestDescent(search), stop=tw.Steps(9)).trace
    assert np.all(trace.step_size < 1)
    assert np.all(trace.step_size >= min(1, 2 * (1 - fraction) * search.decrease / scale) - 1e-12)


def test_the_strong_wolfe_steps_keep_the_pairs_positive():
    """Every accepted step has s'y > 0, so that the quasi-Newton matrix stays positive definite."""
    known = zoo("rosenbrock")
    xs = iterates(known.problem, tw.LBFGS(), known.x0, 25)
    grads = at_once(jax.vmap(lambda x: known.problem.objective.value_and_grad(x)[1]), xs)
    assert np.all(np.sum(np.diff(xs, axis=0) * np.diff(grads, axis=0), axis=1) > 0)
