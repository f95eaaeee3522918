"""L-BFGS-B: it stays in the box, finds the active bounds, and needs no more evaluations than SciPy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import thalweg as tw
from tests.faults.chosen import chosen
from tests.helpers import EPS, X64, at_once, iterates, sampled, tol
from thalweg.problems import ZOO, rosenbrock
from thalweg.solvers.descent.lbfgsb import cauchy_point, quadratic_model, subspace_step

DTYPE = jnp.result_type(float)


def in_box(n: int, lower, upper) -> tuple[tw.Problem, np.ndarray]:
    """Rosenbrock's valley in a box."""
    known = rosenbrock(n)
    return tw.Problem(known.problem.objective, bounds=tw.Bounds(lower, upper)), np.asarray(known.x0)


def from_zoo(name: str) -> tuple[tw.Problem, np.ndarray]:
    known = ZOO[name]()
    return known.problem, np.asarray(known.x0)


BOXED = {name: (lambda name=name: from_zoo(name)) for name in ("hs3", "hs5", "hs45", "hs110", "box-quadratic")}
BOXED |= {
    "valley-2": lambda: in_box(2, -np.inf, 0.8),
    "valley-10": lambda: in_box(10, np.where(np.arange(10) % 3 == 0, 1.2, -np.inf), 1.3),
}


@pytest.mark.thorough
@pytest.mark.skipif(not X64, reason="SciPy computes in float64")
def test_beside_scipy():
    """The same minima from the same starts; evaluations in the median at most 1.1 times SciPy's."""
    ratios = []
    for make in BOXED.values():
        problem, x0 = make()
        lower, upper = (np.broadcast_to(side, x0.shape) for side in (problem.bounds.lower, problem.bounds.upper))
        call = jax.jit(problem.objective.value_and_grad)
        theirs = scipy.optimize.minimize(
            lambda x, call=call: tuple(np.asarray(part, float) for part in call(x)),
            np.clip(x0, lower, upper),
            jac=True,
            method="L-BFGS-B",
            bounds=scipy.optimize.Bounds(lower, upper),
            options={"gtol": 1.5e-8, "ftol": 0.0},
        )
        ours = tw.minimize(problem, x0, tw.LBFGSB())
        assert ours.status is tw.Status.CONVERGED
        assert ours.value == pytest.approx(theirs.fun, rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(ours.x, theirs.x, atol=1e-5)
        ratios.append(ours.evals.value / theirs.nfev)
    assert np.median(ratios) <= 1.1


@pytest.mark.thorough
def test_where_scipy_stops_at_the_start():
    """HS 25 is flat at its start, and its power is not real beyond the box."""
    problem, x0 = from_zoo("hs25")
    result = tw.minimize(problem, x0, tw.LBFGSB())
    if X64:
        np.testing.assert_allclose(result.x, [50.0, 25.0, 1.5], rtol=1e-3)
    assert np.isfinite(result.trace.value).all()


def test_the_objective_is_never_asked_outside():
    """Every evaluation, also those of the search, lies in the box; a point on its edge is exactly there."""
    asked = []

    def watched(x):
        jax.debug.callback(lambda x: asked.append(np.asarray(x)), x)
        return jnp.sum(jnp.sqrt(x - 0.1) - jnp.log(0.7 - x) / 7) + (x[0] - 3 * x[1]) ** 2

    lower, upper = np.asarray([0.1, 0.3, 0.2], DTYPE), np.asarray([0.6, 0.3, 0.6], DTYPE)
    problem = tw.Problem(watched, bounds=tw.Bounds(lower, upper))
    result = tw.minimize(problem, np.asarray([0.55, 0.3, 0.21], DTYPE), tw.LBFGSB())
    jax.effects_barrier()
    assert len(asked) >= result.evals.value
    assert all(np.all((lower <= x) & (x <= upper)) for x in asked)
    assert result.infeasibility == 0
    assert float(result.x[1]) == lower[1], "equal limits fix an entry"
    assert float(result.x[2]) == lower[2], "an active bound is met exactly"


def test_the_active_bounds_are_found_and_stay():
    known = ZOO["box-quadratic"]()
    xs = np.asarray(iterates(known.problem, tw.LBFGSB(), known.x0, 30))
    active = (xs <= 10 * EPS) | (xs >= 1 - 10 * EPS)
    best = (known.argmin == 0) | (known.argmin == 1)
    same = np.all(active == best, axis=1)
    first = int(np.argmax(same))
    assert same.any()
    assert first <= 10
    assert same[first:].all()


@pytest.mark.thorough
def test_open_sides_make_it_lbfgs():
    """Infinite limits go through the Cauchy point and the subspace step, and give the direction of L-BFGS."""
    known = rosenbrock(4)
    open_box = tw.Problem(known.problem.objective, bounds=tw.Bounds())
    boxed = iterates(open_box, tw.LBFGSB(4), jnp.asarray(known.x0), 10)
    plain = iterates(known.problem, tw.LBFGS(4), jnp.asarray(known.x0), 10)
    steps = 11 if X64 else 5
    np.testing.assert_allclose(boxed[:steps], plain[:steps], rtol=tol(1e-7, 1e-2))


@pytest.mark.skipif(not X64, reason="rounding hides a wrong formula")
def test_the_cauchy_point_and_the_face_by_brute_force():
    """Along a fine grid of the projected path the model first rises there; on the face nothing is lower."""
    rng = np.random.default_rng(0)
    n, memory = 6, 3
    known = at_once(tw.LBFGSB(memory).direction.init, np.zeros(n))
    curved = np.diag(rng.uniform(0.5, 3, n)) + 0.2 * np.ones((n, n))
    s = rng.normal(size=(memory, n))
    y = s @ curved
    size, gamma = np.sqrt(np.sum(s * y, 1))[:, None], s[-1] @ y[-1] / (y[-1] @ y[-1])
    known = known._replace(pairs=known.pairs._replace(y=y / size, gamma=np.asarray(gamma)), s=s / size)
    low, high = -rng.uniform(0, 0.5, n), rng.uniform(0, 0.5, n)
    low[0], high[1], low[2] = 0.0, np.inf, -np.inf
    g = rng.normal(size=n)
    matrix = np.eye(n) / gamma
    for one, change in zip(s, y, strict=True):
        image = matrix @ one
        matrix += np.outer(change, change) / (one @ change) - np.outer(image, image) / (one @ image)

    def value(z):
        return g @ z + 0.5 * z @ matrix @ z

    @jax.jit
    def ours(known, g, low, high):
        model = quadratic_model(known, g, low, high)
        z, free, c = cauchy_point(model)
        wide = model._replace(low=jnp.full(n, -jnp.inf), high=jnp.full(n, jnp.inf))
        return z, free, c, model.w @ z, subspace_step(model, z, free, c), subspace_step(wide, z, free, c)

    z, inside, c, on_path, d, whole = map(np.asarray, ours(known, gamma * g, low, high))
    path = np.clip(-np.linspace(0, 5, 200_001)[:, None] * g, low, high)
    values = path @ g + 0.5 * np.sum(path @ matrix * path, axis=1)
    first = int(np.argmax(np.diff(values) > 0))
    np.testing.assert_allclose(z, path[first], atol=1e-4)
    np.testing.assert_allclose(c, on_path, atol=1e-12)
    assert np.all((low <= d) & (d <= high))
    assert value(d) <= value(z) + 1e-12
    np.testing.assert_allclose((g + matrix @ whole)[inside], 0, atol=1e-10)
    np.testing.assert_array_equal(whole[~inside], z[~inside])


SHAPES = {
    "a scalar": (0.5, tw.Bounds(0.0, 0.25), 0.25),
    "one fixed entry": ([0.5], tw.Bounds(0.5, 0.5), 0.5),
    "a corner": ([0.5, 0.5], tw.Bounds(0.0, 0.5), 0.5),
    "huge": ([0.5, 0.5], tw.Bounds(0.0, np.inf), 1.0),
}
"""The last two are one program."""


def bowl(x, factor):
    return factor * jnp.sum((x - 1.0) ** 2)


@pytest.mark.parametrize("shape", sampled(SHAPES, ["a corner", "huge"]))
@pytest.mark.parametrize("factor", [1.0, tol(1e200, 1e30), tol(1e-200, 1e-30)])
def test_any_scale_and_small_shapes(shape, factor):
    x0, bounds, best = SHAPES[shape]
    problem = tw.Problem(chosen((bowl,), bowl, factor), bounds=bounds)
    stop = tw.GradNorm(1e-6 * factor) | tw.Steps(50)
    result = tw.minimize(problem, np.asarray(x0, DTYPE), tw.LBFGSB(), stop=stop)
    assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, best, rtol=1e-4)


@pytest.mark.thorough
def test_mixed_dtypes_empty_and_missing_leaves():
    x0 = {
        "a": jnp.asarray([0.5, -0.5], jnp.bfloat16),
        "b": (jnp.zeros((0, 2), DTYPE), None),
        "c": jnp.asarray(3.0, DTYPE),
    }

    def loss(x):
        return jnp.sum((x["a"].astype(DTYPE) - 2.0) ** 2) + (x["c"] - 1.0) ** 2

    problem = tw.Problem(loss, bounds=tw.Bounds(-1.0, 1.5), allow_unused=True)
    with pytest.warns(tw.MinimizeWarning, match=r"x0 lies outside the bounds, c by 1\.5: a run starts"):
        result = tw.minimize(problem, x0, tw.LBFGSB(), stop=tw.GradNorm(1e-2))
    assert result.x["a"].dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.asarray(result.x["a"], float), 1.5)
    assert float(result.x["c"]) == pytest.approx(1.0, abs=1e-2)


def test_no_variables_at_all():
    problem = tw.Problem(lambda x: jnp.sum(x), bounds=tw.Bounds(0.0, 1.0))
    assert tw.minimize(problem, jnp.zeros((0,), DTYPE), tw.LBFGSB()).status is tw.Status.CONVERGED


@pytest.mark.parametrize("bad", [0, -1, 2.5, True])
def test_the_memory_is_a_count(bad):
    with pytest.raises(ValueError, match=rf"memory={bad}\): memory must be a whole number >= 1"):
        tw.LBFGSB(bad)


def test_sets_are_not_bounds():
    with pytest.raises(ValueError, match="LBFGSB would ignore nonsmooth=Simplex"):
        tw.minimize(tw.Problem(jnp.sum, nonsmooth=tw.Simplex()), np.ones(2) / 2, tw.LBFGSB())


@pytest.mark.thorough
def test_inside_the_method_of_multipliers():
    """Bounds stay with the inner method: no point is outside, and fewer evaluations than with inequalities."""
    known = ZOO["hs71"]()
    stop = tw.GradNorm(tol(1e-7, 1e-2)) | tw.Steps(2000)
    result = tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(tw.LBFGSB()), stop=stop)
    assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, known.argmin, atol=tol(1e-6, 1e-2))
    assert np.all((np.asarray(result.x) >= 1) & (np.asarray(result.x) <= 5))
    if X64:
        moved = tw.minimize(known.problem, known.x0, tw.AugmentedLagrangian(tw.LBFGS()), stop=stop)
        assert result.evals.value < moved.evals.value
