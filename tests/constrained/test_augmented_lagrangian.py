"""The augmented Lagrangian on problems with known solutions, and what it reports."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import thalweg as tw
from tests.helpers import EPS, X64, Counted, half_square, quartic, sampled, tol, zoo
from thalweg.solvers.constrained.augmented import augmented

HS = ("hs6", "hs7", "hs21", "hs28", "hs35", "hs48", "hs71")
STOP = tw.GradNorm(tol(1e-6, 3e-3)) | tw.Steps(3000)
INNER = {"lbfgs": tw.LBFGS(), "projected": tw.ProjectedGradient()}
DTYPE = np.dtype(jnp.result_type(float))


def up_to(steps):
    """Of the other stops' structure, so no program of its own."""
    return tw.GradNorm(0.0) | tw.Steps(steps)


@pytest.mark.parametrize("inner", sampled(INNER, ["lbfgs"]))
@pytest.mark.parametrize("problem", sampled(HS, ["hs21", "hs71"]))
def test_hock_and_schittkowski(problem, inner):
    known = zoo(problem)
    result = tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(INNER[inner]), stop=STOP)
    assert result.status is tw.Status.CONVERGED
    assert result.infeasibility <= tol(1e-6, 3e-3)
    assert result.value == pytest.approx(known.minimum, abs=tol(1e-5, 3e-2))
    np.testing.assert_allclose(result.x, known.argmin, atol=tol(1e-4, 0.2))
    report = tw.landscape.kkt(known.problem, result.x, result.state.state.multipliers)
    assert report.residual == pytest.approx(result.optimality, abs=tol(1e-9, 1e-4)), "the very point of the certificate"
    assert tw.landscape.kkt(known.problem, result.x).residual <= 10 * tol(1e-6, 3e-3)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # SciPy's own: a quasi-Newton matrix without news
@pytest.mark.skipif(not X64, reason="SciPy computes in double precision")
@pytest.mark.parametrize("method", sampled(["SLSQP", "trust-constr"], ["SLSQP"]))
@pytest.mark.parametrize("hs", sampled(HS, ["hs71"]))
def test_the_same_minimum_as_scipy(hs, method):
    known = zoo(hs)
    problem, both = known.problem, jax.jit(known.problem.objective.value_and_grad)
    constraints = []
    for kind, values, sign in (("eq", problem.equalities, 1), ("ineq", problem.inequalities, -1)):
        if np.asarray(values(known.x0)).size:
            values, slope = jax.jit(lambda x, f=values: f(x)), jax.jit(jax.jacobian(values))
            fun = {"fun": lambda x, v=values, s=sign: s * np.asarray(v(x)), "type": kind}
            constraints.append({**fun, "jac": lambda x, j=slope, s=sign: s * np.asarray(j(x))})
    bounds = None
    if problem.bounds is not None:
        sides = (np.broadcast_to(side, known.x0.shape) for side in (problem.bounds.lower, problem.bounds.upper))
        bounds = scipy.optimize.Bounds(*sides)
    theirs = scipy.optimize.minimize(
        lambda x: tuple(map(np.asarray, both(x))),
        known.x0,
        jac=True,
        method=method,
        bounds=bounds,
        constraints=constraints,
    )
    ours = tw.minimize(problem, known.x0, tw.AugmentedLagrangian(), stop=STOP)
    assert ours.value == pytest.approx(theirs.fun, abs=1e-4)
    assert tw.landscape.kkt(problem, ours.x).residual <= max(1e-5, tw.landscape.kkt(problem, theirs.x).residual)


def test_the_augmented_lagrangian_is_its_formula():
    """Value and gradient against the textbook formula and autodiff, open and closed bounds included."""
    known = zoo("hs71")
    problem = tw.Problem(
        known.problem.objective,
        equality=known.problem.equality,
        inequality=known.problem.inequality,
        bounds=tw.Bounds(np.asarray([1.0, -np.inf, 2.0, -np.inf]), np.asarray([5.0, 3.0, np.inf, np.inf])),
    )
    shift = tw.landscape.Multipliers(jnp.asarray([0.5], DTYPE), jnp.asarray([0.25, 0.1, 0, 2, 0, 0, 3, 0, 0], DTYPE))
    rho, x = jnp.asarray(7.0, DTYPE), jnp.asarray([0.5, 4.0, 3.0, 1.5], DTYPE)
    sub = augmented(problem, shift, rho, True)
    assert sub.offers(x) == tw.Problem(half_square).offers(x)

    def by_the_book(x):
        h = jnp.sum(x**2) - 40.0
        walls = [25.0 - jnp.prod(x), 1.0 - x[0], 2.0 - x[2], x[0] - 5.0, x[1] - 3.0]
        value = known.problem.objective.value(x) + 0.5 * h + 3.5 * h**2
        for c, mu in zip(walls, (0.25, 0.1, 2.0, 0.0, 3.0), strict=True):
            value = value + (jnp.maximum(0, mu + 7 * c) ** 2 - mu**2) / 14
        return value

    @jax.jit
    def ours(x):
        seen, again = sub.objective.evaluate(x), jax.value_and_grad(sub.objective.value)(x)
        return (seen.value, seen.grad), again, sub.objective.hvp(x, jnp.ones_like(x))

    @jax.jit
    def theirs(x):
        return *jax.value_and_grad(by_the_book)(x), jax.hessian(by_the_book)(x) @ jnp.ones_like(x)

    (seen, slope), (again, other), product = ours(x)
    value, grad, expected = theirs(x)
    assert float(seen) == pytest.approx(float(value), rel=100 * EPS)
    np.testing.assert_allclose(slope, grad, rtol=1e3 * EPS)
    assert float(again) == float(seen)
    np.testing.assert_allclose(other, grad, rtol=1e3 * EPS)
    np.testing.assert_allclose(product, expected, rtol=1e4 * EPS)


@pytest.mark.thorough
@pytest.mark.parametrize("inner", sampled(INNER, ["lbfgs"]))
def test_without_constraints_it_is_its_inner_method(inner):
    methods = INNER[inner], tw.AugmentedLagrangian(INNER[inner])
    runs = [tw.minimize(quartic, np.zeros(3), method, stop=tw.Steps(9)) for method in methods]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    np.testing.assert_array_equal(runs[0].trace.value, runs[1].trace.value)
    assert runs[0].evals == runs[1].evals


COUNTED = INNER | {"fista": tw.FISTA(), "adam": tw.FirstOrder(tw.Adam(0.05))}


def on_a_line(x):
    return x[0] + x[1] - 1.0


@pytest.mark.parametrize("method", sampled(COUNTED, ["lbfgs", "adam"]))
def test_the_objective_is_counted_truly_and_the_inner_method_is_free(method):
    loss = Counted(half_square)
    problem = tw.Problem(loss, equality=on_a_line)
    stop = tw.GradNorm(tol(1e-4, 3e-3)) | tw.Steps(4000)
    result = tw.minimize(problem, np.zeros(2), tw.AugmentedLagrangian(COUNTED[method]), stop=stop)
    assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, [1 / 3, 2 / 3], atol=tol(1e-4, 1e-2))
    assert loss.count == result.evals.value
    assert float(tw.optimality(tw.Problem(half_square, equality=on_a_line), result.x)) <= 1e-2


@pytest.mark.parametrize("inner", sampled(INNER, ["lbfgs"]))
def test_nothing_is_evaluated_twice(inner):
    """Not even where the multipliers change, which they do here at every other step."""
    points = []

    def loss(x):
        jax.debug.callback(lambda x: points.append(x.tobytes()), x)
        return half_square(x)

    problem = tw.Problem(loss, equality=lambda x: x[0] * x[1] - 1.0)
    result = tw.minimize(problem, np.zeros(2), tw.AugmentedLagrangian(INNER[inner], inner_steps=2), stop=tw.Steps(8))
    jax.effects_barrier()
    assert len(points) == len(set(points)) == result.evals.value > 8


def test_what_is_reported_holds_at_x_t():
    known = zoo("hs71")
    result = tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(), stop=up_to(30))
    value, infeasibility = jax.jit(lambda x: (known.problem.objective.value(x), known.problem.infeasibility(x)))(
        result.x
    )
    assert result.value == pytest.approx(float(value), rel=1e2 * EPS)
    assert result.infeasibility == pytest.approx(float(infeasibility), rel=1e3 * EPS, abs=1e2 * EPS)
    assert np.all(np.diff(result.trace.extra["penalty"]) >= 0)
    assert result.trace.value[0] == pytest.approx(16.0)


def from_the_target(x):
    """Half the squared distance."""
    return 0.5 * jnp.sum((x - jnp.asarray([1.0, 0.0, 0.25], x.dtype)) ** 2)


def test_equality_and_a_set_with_the_inner_method_that_takes_them():
    problem = tw.Problem(from_the_target, nonsmooth=tw.Simplex(), equality=lambda x: x[0] - x[1])
    result = tw.minimize(problem, np.zeros(3), stop=STOP)
    assert isinstance(result.method.inner, tw.ProjectedGradient)
    np.testing.assert_allclose(result.x, np.asarray([0.5, 0.5, 0.25]) - 1 / 12, atol=tol(1e-5, 1e-2))


@pytest.mark.thorough
def test_equality_and_a_penalty_with_the_inner_method_that_takes_them():
    penalized = tw.Problem(from_the_target, nonsmooth=tw.L1(0.1), equality=lambda x: x[0] - x[1])
    sparse = tw.minimize(penalized, np.zeros(3), stop=STOP)
    assert isinstance(sparse.method.inner, tw.FISTA)
    np.testing.assert_allclose(sparse.x, [0.4, 0.4, 0.15], atol=tol(1e-5, 1e-2))
    assert sparse.value == pytest.approx(0.5 * (0.36 + 0.16 + 0.01) + 0.095, abs=tol(1e-5, 1e-2))


@pytest.mark.thorough
def test_both_ways_with_bounds_agree():
    known = zoo("hs71")
    ways = [tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(inner), stop=STOP) for inner in INNER.values()]
    np.testing.assert_allclose(ways[0].x, ways[1].x, atol=tol(1e-5, 0.1))
    for way in ways:
        np.testing.assert_allclose(way.state.state.multipliers.equality, [0.1614686], atol=tol(1e-5, 0.1))
    assert np.all(np.asarray(ways[1].x) >= 1.0)
    assert np.all(np.asarray(ways[1].x) <= 5.0)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", sampled(["float64", "float32"] if X64 else ["float32"], [DTYPE.name]))
def test_trees_and_dtypes_survive(dtype):
    x0 = {"w": np.zeros((2, 2), dtype), "b": (np.asarray(0.5, dtype), None), "n": 2, "empty": np.zeros(0, dtype)}
    problem = tw.Problem(
        lambda t: jnp.sum((t["w"] - 1.0) ** 2) + (t["b"][0] - 1.0) ** 2,
        equality=lambda t: {"rows": jnp.sum(t["w"], axis=1) - t["n"] / 2, "b": t["b"][0]},
        inequality=lambda t: [t["w"][0, 0] - 0.25],
    )
    result = tw.minimize(problem, x0, tw.AugmentedLagrangian(), stop=tw.GradNorm(3e-3) | tw.Steps(500))
    assert result.status is tw.Status.CONVERGED
    assert jax.tree.structure(result.x) == jax.tree.structure(x0)
    assert (result.x["w"].dtype, result.x["b"][0].dtype, result.x["n"]) == (dtype, dtype, 2)
    np.testing.assert_allclose(result.x["w"], [[0.25, 0.75], [0.5, 0.5]], atol=1e-2)
    names = [line.name for line in tw.landscape.kkt(problem, result.x).equality]
    assert names == ["equality[b]", "equality[rows][0]", "equality[rows][1]"]


@pytest.mark.thorough
def test_bfloat16_comes_as_near_as_it_can():
    problem = tw.Problem(half_square, equality=lambda x: jnp.sum(x) - 1)
    result = tw.minimize(
        problem, jnp.zeros(2, jnp.bfloat16), tw.AugmentedLagrangian(), stop=tw.Steps(40), on_failure="ignore"
    )
    assert result.x.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(result.x, float), [1 / 3, 2 / 3], atol=0.05)


@pytest.mark.thorough
def test_chunks_and_resuming():
    known = zoo("hs21")
    run = {"stop": up_to(12)}  # before float32 has nothing left to gain
    whole = tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(), **run)
    for chunk in (1, 7):
        cut = tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(), chunk=chunk, **run)
        np.testing.assert_array_equal(cut.x, whole.x)
        np.testing.assert_array_equal(cut.trace.optimality, whole.trace.optimality)
    begun = tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(), stop=up_to(8))
    ended = tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(), state=begun.state, **run)
    np.testing.assert_array_equal(ended.x, whole.x)


@pytest.mark.thorough
def test_restarts():
    known = zoo("hs35")
    lanes = tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(), restarts=3, stop=STOP)
    assert lanes.value == pytest.approx(1 / 9, abs=tol(1e-5, 1e-2))


def test_a_subproblem_without_a_minimum_gets_a_larger_penalty():
    """-sum x^4 falls faster than a penalty of 10 holds it; the constraint x = 1 decides all the same."""
    problem = tw.Problem(lambda x: -jnp.sum(x**4), equality=lambda x: x - 1)
    result = tw.minimize(problem, np.asarray([0.5, 0.7]), tw.AugmentedLagrangian(), stop=STOP)
    assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=tol(1e-5, 1e-2))
    assert result.trace.extra["penalty"][-1] > 10


@pytest.mark.thorough
@pytest.mark.skipif(not X64, reason="the ray overflows in float32 first")
def test_a_problem_that_falls_along_feasible_points_diverges():
    problem = tw.Problem(jnp.sum, equality=lambda x: x[:1] - 1)
    result = tw.minimize(problem, np.asarray([0.5, 0.7]), tw.AugmentedLagrangian(), on_failure="ignore")
    assert result.status is tw.Status.DIVERGED


REFUSED = {
    "penalty": (lambda: tw.AugmentedLagrangian(penalty=1.0), "penalty=1.0.*> 1"),
    "growth": (lambda: tw.AugmentedLagrangian(growth=0.5), "growth=0.5.*> 1"),
    "inner steps": (lambda: tw.AugmentedLagrangian(inner_steps=0), "inner_steps=0"),
    "no method": (lambda: tw.AugmentedLagrangian(0.1), "inner=0.1.*a solver or a rule"),
    "memory": (lambda: tw.ProjectedGradient(memory=0), "memory=0"),
    "steps": (lambda: tw.ProjectedGradient(min_step=1.0, max_step=0.5), "max_step=0.5.*> min_step=1.0"),
    "first step": (lambda: tw.ProjectedGradient(step_size=0.0), "step_size=0.0"),
    "search": (
        lambda: tw.ProjectedGradient(search=tw.line_search.StrongWolfe()),
        "longer steps than 1 would leave the set",
    ),
}


@pytest.mark.parametrize(("make", "match"), REFUSED.values(), ids=REFUSED)
def test_hyperparameters_out_of_range(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_batches_are_refused():
    data = np.ones((4, 2))
    problem = tw.Problem(lambda x, b: jnp.mean((b @ x) ** 2), data, equality=lambda x: x[0] - 1)
    with pytest.raises(ValueError, match="needs the same function at every step, which batch_size=2 changes"):
        tw.minimize(problem, np.ones(2), tw.AugmentedLagrangian(), batch_size=2, stop=tw.Steps(3))
