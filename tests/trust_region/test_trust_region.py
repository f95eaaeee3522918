"""Trust regions: truthful counts, saddles that are left, small numbers, and SciPy's trust-ncg beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

import thalweg as tw
from tests.helpers import X64, assert_close, at_once, sampled, tol
from thalweg.problems import ZOO, rosenbrock
from thalweg.solvers.descent.truncated_cg import negative_curvature_search
from thalweg.solvers.trust_region import model
from thalweg.solvers.trust_region.model import symmetric_eigendecomposition
from thalweg.solvers.trust_region.subproblem import QuadraticForm


def valley(x):
    """Rosenbrock's function."""
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def up_to(steps):
    """Of the default rule's structure, so no program of its own."""
    return tw.GradNorm(0.0) | tw.Steps(steps)


@pytest.mark.parametrize(
    "x0", [[-1.2, 1.0, -1.2, 1.0], pytest.param([1.0, 1.0, 1.0, 0.999], marks=pytest.mark.thorough)]
)
def test_products_with_the_hessian_are_counted(x0, monkeypatch):
    executed = []
    exact = model.linearized_gradient

    def counting(objective, x):
        value, grad, product, aux = exact(objective, x)

        def watched(v):
            jax.debug.callback(lambda: executed.append(1))
            return product(v)

        return value, grad, watched, aux

    monkeypatch.setattr(model, "linearized_gradient", counting)
    result = tw.minimize(lambda x: valley(x), np.asarray(x0), tw.TrustRegion(), stop=tw.Steps(6))
    jax.effects_barrier()
    assert result.evals.hvp == len(executed) > 0
    assert np.all(result.trace.evals.hvp > 0)


CASES = {name: make() for name, make in ZOO.items() if name in tw.METHODS["trust-region"].solves}
CASES |= {"rosenbrock-10": rosenbrock(10)}
BESIDE = {"rosenbrock-10": 3.986579112347138}
"""A second minimum, near (-1, 1, ..., 1): which of the two is reached is chance."""


@pytest.mark.thorough
@pytest.mark.skipif(not X64, reason="SciPy computes in float64")
@pytest.mark.parametrize("case", sampled(CASES, ["quadratic"]))
def test_no_more_work_than_scipys_trust_ncg(case):
    """Both solve it; ours takes at most half as many points again, and no more products."""
    known = CASES[case]
    value_and_grad = jax.jit(lambda x: known.problem.objective.value_and_grad(x))
    hvp = jax.jit(lambda x, v: known.problem.objective.hvp(x, v))
    theirs = scipy_minimize(
        lambda x: float(value_and_grad(x)[0]),
        known.x0,
        jac=lambda x: np.asarray(value_and_grad(x)[1]),
        hessp=lambda x, v: np.asarray(hvp(x, v)),
        method="trust-ncg",
        options={"gtol": 1e-8, "maxiter": 1000},
    )
    ours = tw.minimize(known.problem, known.x0, tw.TrustRegion(check=0.0), stop=tw.GradNorm(1e-8) | tw.Steps(1000))
    assert theirs.success
    assert ours.status is tw.Status.CONVERGED
    assert ours.value <= theirs.fun + 1e-14 or abs(ours.value - BESIDE.get(case, np.inf)) <= 4e-12
    assert ours.steps <= 1.5 * theirs.nit + 1
    assert np.sum(ours.trace.evals.hvp[:-1]) <= theirs.nhev  # the step from the minimum only certifies it


def test_each_step_evaluates_its_trial_point_and_linearizes_once():
    result = tw.minimize(valley, np.asarray([-1.2, 1.0]), tw.TrustRegion(), stop=up_to(5))
    np.testing.assert_array_equal(result.trace.evals.value, 2)
    np.testing.assert_array_equal(result.trace.evals.gradient, 1)


@pytest.mark.thorough
def test_the_model_sees_every_leaf_of_a_tree():
    x0 = {"a": np.asarray([-1.2]), "b": (np.asarray(1.0),)}
    tree = tw.minimize(lambda p: valley(jnp.stack([p["a"][0], p["b"][0]])), x0, tw.TrustRegion())
    flat = tw.minimize(valley, np.asarray([-1.2, 1.0]), tw.TrustRegion())
    assert tree.steps == flat.steps
    assert_close(np.r_[tree.x["a"], tree.x["b"][0]], flat.x, 1e-8)


def test_the_radius_holds_back_the_step():
    result = tw.minimize(valley, np.asarray([-1.2, 1.0]), tw.TrustRegion(radius=0.01, max_radius=0.02), stop=up_to(9))
    assert result.trace.step_size[0] == pytest.approx(0.012)
    assert np.max(result.trace.step_size) <= 0.02 * (1 + 1e-6)


def test_without_forcing_a_quadratic_takes_one_step_inside_the_region():
    """Conjugate gradients run to the end solve a quadratic of three variables with three products."""
    a = np.asarray([1.0, 2.0, 5.0])

    def bowl(x):
        return 0.5 * jnp.sum(jnp.asarray(a, x.dtype) * (x - 1) ** 2)

    method = tw.TrustRegion(tw.trust_region.SteihaugCG(forcing=1e-7), radius=10.0, check=0.0)
    result = tw.minimize(bowl, np.zeros(3), method, stop=tw.Steps(1))
    np.testing.assert_allclose(result.x, 1.0, rtol=tol(1e-12, 1e-5))
    assert result.trace.evals.hvp[0] == 3


def quadratic(grad, diagonal):
    """A model with a diagonal Hessian."""
    return QuadraticForm(
        grad, lambda v: diagonal * v, lambda: symmetric_eigendecomposition(jnp.diag(diagonal), grad, grad.size)
    )


def plan(subproblem, grad, diagonal, radius):
    return subproblem(quadratic(grad, diagonal), radius)


def planned(subproblem, *numbers):
    """The step of a model with a diagonal Hessian, as one program."""
    return at_once(plan, subproblem, *(np.asarray(part, jnp.result_type(float)) for part in numbers))


# Negative curvature.


def test_steihaug_stops_where_the_curvature_is_not_positive():
    """On x^2 - y^2 the first direction already has negative curvature: the step is as long as the radius."""
    found = planned(tw.trust_region.SteihaugCG(), [1.0, 1.0], [2.0, -4.0], 3.0)
    assert bool(found.on_boundary)
    assert int(found.hvps) == 1
    np.testing.assert_allclose(found.step, -3 * np.ones(2) / np.sqrt(2), rtol=1e-6)
    np.testing.assert_allclose(found.curvature, -1.0, rtol=1e-6)
    np.testing.assert_allclose(found.decrease, 3 * np.sqrt(2) + 0.5 * 9, rtol=1e-6)


@pytest.mark.parametrize("power", [-12, 0, 12])
def test_the_subproblem_does_not_depend_on_the_units(power):
    """Scaling the objective scales the promise, not the step."""
    scale = 10.0**power
    diagonal, grad = scale * np.asarray([1.0, 3.0, 9.0]), scale * np.asarray([1.0, -1.0, 2.0])
    found = planned(tw.trust_region.SteihaugCG(forcing=1e-5), grad, diagonal, 5.0)
    np.testing.assert_allclose(found.step, -np.asarray([1.0, -1 / 3, 2 / 9]), rtol=tol(1e-9, 1e-4))
    assert float(found.decrease) == pytest.approx(scale * (1 + 1 / 3 + 4 / 9) / 2, rel=tol(1e-9, 1e-4))


@pytest.mark.parametrize("n", sampled([2, 30], [30]))
def test_one_negative_curvature_among_many_is_found(n):
    """The start is exactly stationary: only the random search can know."""
    a = np.linspace(1.0, 50.0, n)
    a[n // 2] = -0.3

    def saddle(x):
        return 0.5 * jnp.sum(jnp.asarray(a, x.dtype) * x**2) + jnp.sum(x**4)

    result = tw.minimize(saddle, np.zeros(n), tw.TrustRegion())
    assert result.status is tw.Status.CONVERGED
    assert abs(result.x[n // 2]) == pytest.approx(np.sqrt(0.3 / 4), rel=tol(1e-6, 1e-2))
    assert result.trace.extra["curvature"][0] < 0
    assert result.trace.optimality[0] > 1e-3
    assert "no negative curvature" in result.advice[0]


def searched(seed, diagonal, most):
    """The seed is a float because those are traced."""
    return negative_curvature_search(jax.random.key(seed.astype(int)), lambda v: diagonal * v, diagonal, most)


@pytest.mark.parametrize("seed", range(4))
def test_the_curvature_found_is_an_attained_quotient(seed):
    """Between the lowest eigenvalue and half of it, and `d` is where it is attained."""
    a = np.linspace(1.0, 50.0, 30, dtype=jnp.result_type(float))
    a[15] = -0.3
    found = at_once(searched, float(seed), a, 100)
    d = np.asarray(found.d)
    assert -0.3 * (1 + tol(1e-12, 1e-4)) <= float(found.lowest) <= -0.15
    assert float(d @ (a * d)) == pytest.approx(float(found.lowest), rel=tol(1e-10, 1e-3))
    two = np.asarray([2.0, -2.0], a.dtype)
    assert float(at_once(searched, float(seed), two, 9).lowest) >= -2 * (1 + tol(1e-12, 1e-5))


def test_a_flat_minimum_is_not_taken_for_a_saddle():
    result = tw.minimize(lambda x: x[0] ** 4 + x[1] ** 2, np.asarray([1.0, 0.5]), tw.TrustRegion())
    assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, 0.0, atol=tol(0.01, 0.1))


def test_nothing_is_searched_where_the_gradient_is_large():
    result = tw.minimize(valley, np.asarray([-1.2, 1.0]), tw.TrustRegion())
    searched = np.isfinite(result.trace.extra["curvature"])
    np.testing.assert_array_equal(searched, result.trace.optimality <= 1e-2)
    assert searched[-1]
    assert not searched[0]


@pytest.mark.parametrize("dtype", sampled(["float64", "float32"] if X64 else ["float32"], ["float32"]))
def test_the_ratio_survives_rounding(dtype):
    """With an offset the last digits of the value say nothing; the slopes still lead to the minimum."""

    def shifted(x):
        return valley(x) + jnp.asarray(100.0, x.dtype)

    tolerance = 1e-11 if dtype == "float64" else 1e-4
    result = tw.minimize(
        shifted, np.asarray([-1.2, 1.0], dtype), tw.TrustRegion(), stop=tw.GradNorm(tolerance) | tw.Steps(200)
    )
    assert result.status is tw.Status.CONVERGED


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: tw.TrustRegion(radius=0.0), r"radius=0.0.*> 0"),
        (lambda: tw.TrustRegion(max_radius=-1.0), "max_radius=-1"),
        (lambda: tw.TrustRegion(accept=0.25), r"accept=0.25.*\[0, 1/4\)"),
        (lambda: tw.TrustRegion(shrink=1.0), "shrink=1"),
        (lambda: tw.TrustRegion(growth=0.5), "growth=0.5"),
        (lambda: tw.TrustRegion(check=-1.0), "check=-1"),
        (lambda: tw.TrustRegion(max_search=0), "max_search=0"),
        (lambda: tw.trust_region.SteihaugCG(forcing=1.0), "forcing=1"),
        (lambda: tw.trust_region.SteihaugCG(max_iterations=0), "max_iterations=0"),
        (lambda: tw.TrustRegion(subproblem=tw.line_search.Backtracking()), "subproblem=.*tw.trust_region.SteihaugCG"),
        (lambda: tw.TrustRegion(model=tw.trust_region.SteihaugCG()), "model=.*tw.trust_region.TaylorModel"),
        (lambda: tw.trust_region.SR1Model(skip=1.0), "skip=1"),
    ],
)
def test_numbers_out_of_range(make, match):
    with pytest.raises((ValueError, TypeError), match=match):
        make()
