"""The pure loop: limits, capacity, vmap, and what it refuses to do to a tree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import tol
from tests.run.test_driver import A, bowl, by_hand, start


def run(rate, stop=tw.Never(), capacity=30, limit=None, batched=False):
    """SGD on the bowl through the pure loop."""
    problem, solver = tw.Problem(bowl), tw.FirstOrder(tw.SGD(rate))
    carry = tw.start(problem, solver, start(), stop)
    return tw.iterate(problem, solver, carry, stop, jax.random.key(0), capacity=capacity, limit=limit, batched=batched)


def test_limit_is_traced_and_capacity_bounds_it():
    once = jax.jit(lambda limit: run(0.05, limit=limit))
    for limit, steps in ((0, 0), (7, 7), (30, 30), (99, 30)):
        carry, trace = once(limit)
        assert int(carry.step) == steps
        np.testing.assert_allclose(carry.state.x, by_hand(0.05, steps)[-1], rtol=tol(1e-12, 1e-5))
        assert np.count_nonzero(trace.value) == steps
    assert once._cache_size() == 1


def test_the_scan_form_equals_the_while_form():
    stop = tw.GradNorm(1.0)
    a, rows_a = jax.jit(lambda: run(0.05, stop))()
    b, rows_b = jax.jit(lambda: run(0.05, stop, batched=True))()
    assert int(a.step) == int(b.step) < 30
    for left, right in zip(jax.tree.leaves((a, rows_a)), jax.tree.leaves((b, rows_b)), strict=True):
        np.testing.assert_allclose(left, right, rtol=tol(1e-12, 1e-5))


@pytest.mark.thorough
@pytest.mark.parametrize("batched", [False, True])
def test_lanes_under_vmap_stop_by_themselves(batched):
    rates = np.asarray([0.01, 0.05, 0.1], jnp.result_type(float))
    stop = tw.GradNorm(1.0)
    by_rate = jax.jit(lambda rate: run(rate, stop)[0])
    carry, trace = jax.jit(jax.vmap(lambda rate: run(rate, stop, batched=batched)))(rates)
    alone = [by_rate(rate) for rate in rates]
    np.testing.assert_array_equal(carry.step, [int(c.step) for c in alone])
    np.testing.assert_allclose(carry.state.x, np.stack([c.state.x for c in alone]), rtol=tol(1e-12, 1e-5))
    assert trace.value.shape == (3, 30)


def test_a_sweep_over_a_hyperparameter_is_a_vmap_over_a_solver():
    solvers = tw.FirstOrder(tw.Adam(np.asarray([0.1, 0.2], jnp.result_type(float))))
    problem, stop = tw.Problem(bowl), tw.Never()

    def solve(solver):
        carry = tw.start(problem, solver, start(), stop)
        return tw.iterate(problem, solver, carry, stop, jax.random.key(0), capacity=10)[0].state.x

    axes = jax.tree.map(lambda leaf: 0 if getattr(leaf, "ndim", 0) else None, solvers)
    swept = jax.jit(jax.vmap(solve, in_axes=(axes,)))(solvers)
    np.testing.assert_allclose(swept[1], jax.jit(solve)(tw.FirstOrder(tw.Adam(0.2))), rtol=tol(1e-12, 1e-5))


def test_batches_are_taken_in_order():
    def loss(x, batch):
        return jnp.mean(batch) * x

    problem = tw.Problem(loss, np.ones(2))
    solver, stop = tw.FirstOrder(tw.SGD(1.0)), tw.Never()

    @jax.jit
    def go(batches):
        carry = tw.start(problem, solver, jnp.asarray(0.0), stop)
        return tw.iterate(problem, solver, carry, stop, jax.random.key(0), batches, capacity=4)

    carry, trace = go(np.arange(8.0, dtype=jnp.result_type(float)).reshape(4, 2))
    assert float(carry.state.x) == -(0.5 + 2.5 + 4.5 + 6.5)
    assert np.isnan(trace.optimality).all(), "on batches the gradient is not measured unless asked for"


def test_the_proxy_of_an_accelerated_method_is_confirmed_at_the_point():
    """FISTA measures at z; CONVERGED must hold at x."""
    tolerance = tol(1e-9, 1e-4)
    result = tw.minimize(bowl, start(), tw.FISTA(), stop=tw.GradNorm(tolerance) | tw.Steps(2000))
    assert result.status == tw.Status.CONVERGED
    assert np.max(np.abs(A * np.asarray(result.x))) <= tolerance


def test_optimality_is_zero_at_a_solution_with_a_nonsmooth_part():
    problem = tw.Problem(lambda x: 0.5 * jnp.sum((x - jnp.asarray([2.0, 0.1], x.dtype)) ** 2), nonsmooth=tw.L1(0.5))
    residual = jax.jit(lambda x: tw.optimality(problem, x))
    assert float(residual(np.asarray([1.5, 0.0]))) == pytest.approx(0.0, abs=1e-6)
    assert float(residual(np.asarray([2.0, 0.1]))) == pytest.approx(0.5, rel=1e-5)


def test_a_refuted_proxy_of_zero_is_reported_with_its_certificate_for_ever():
    """FISTA's first steps are too short to move this point in float32; its proxy is 0 there, the residual is not."""

    def steep(x):
        return jnp.sum(jnp.exp(x))

    problem, solver = tw.Problem(steep, bounds=tw.Bounds(0.0, 2.0)), tw.FISTA(growth=1.0)
    stop = tw.Steps(1500) | tw.GradNorm(1e-3)

    @jax.jit
    def go(x):
        carry = tw.start(problem, solver, x, stop)
        carry, trace = tw.iterate(problem, solver, carry, stop, jax.random.key(0), capacity=1500)
        return carry, trace, tw.optimality(problem, carry.point)

    carry, trace, optimality = go(np.asarray([40.0, 1.0], np.float32))
    assert int(carry.status) == tw.Status.STEP_LIMIT
    assert float(trace.optimality[-1]) == pytest.approx(float(optimality), rel=1e-3)
    assert float(trace.optimality[-1]) > 0.5


DATA = np.ones((6, 2))


def on_data(x, batch):
    """A mean over examples."""
    return jnp.mean((batch - x) ** 2)


@pytest.mark.parametrize(
    ("problem", "method", "batches", "sentence"),
    [
        (tw.Problem(bowl, nonsmooth=tw.L1(0.1)), tw.FirstOrder(tw.SGD(0.1)), None, "FirstOrder would ignore nonsmooth"),
        (tw.Problem(bowl, nonsmooth=tw.Simplex()), tw.FirstOrder(tw.Adam(0.1)), None, "would ignore a set"),
        (tw.Problem(bowl, bounds=tw.Bounds(0.0, 1.0)), tw.LBFGS(), None, "Descent would ignore bounds"),
        (tw.Problem(bowl, equality=lambda x: x[0]), tw.FISTA(), None, "FISTA would ignore equality"),
        (tw.Problem(on_data, DATA), tw.LBFGS(), tw.Batches(2), "Descent needs the same function at every step"),
        (tw.Problem(bowl), tw.LevenbergMarquardt(), None, "needs residuals .* does not offer"),
        (tw.Problem(bowl), tw.FirstOrder(tw.Sophia(0.1)), None, "needs an estimate of the Hessian's diagonal"),
    ],
    ids=["penalty", "set", "bounds", "equality", "batches", "residuals", "curvature"],
)
def test_what_minimize_refuses_is_refused_here(problem, method, batches, sentence):
    with pytest.raises(ValueError, match=sentence + r".*; tw\.minimize names the methods that fit\."):
        tw.start(problem, method, start(), tw.Never(), batches=batches)


def test_a_carry_of_another_problem_does_not_hide_it():
    solver, stop = tw.FirstOrder(tw.SGD(0.1)), tw.Never()
    carry = jax.jit(lambda x: tw.start(tw.Problem(bowl), solver, x, stop))(start())
    penalized = tw.Problem(bowl, nonsmooth=tw.L1(0.1))
    with pytest.raises(ValueError, match="FirstOrder would ignore nonsmooth"):
        tw.iterate(penalized, solver, carry, stop, jax.random.key(0), capacity=3)
