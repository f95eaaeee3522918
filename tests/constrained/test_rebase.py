"""Same point, other function: what a method around another one may do to its state, and what that costs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import Counted, half_square, quartic, sampled
from thalweg.solvers.constrained.augmented import augmented

CARRYING = {"lbfgs": tw.LBFGS(), "conjugate-gradient": tw.ConjugateGradient(), "projected": tw.ProjectedGradient()}
AFRESH = {"adam": tw.FirstOrder(tw.Adam(0.1)), "fista": tw.FISTA(), "trust-region": tw.TrustRegion()}
METHODS = CARRYING | AFRESH
X0 = np.asarray([0.5, -1.0], jnp.result_type(float))


@functools.cache
def rebased(method):
    """The state after three steps, the same on another function, what its next step reports, the true count there."""
    solver, loss, key = METHODS[method], Counted(half_square), jax.random.key(0)
    before, after = tw.Problem(quartic), tw.Problem(loss)

    @jax.jit
    def whole(x0):
        def one(state, _):
            return solver.step(before, state, key).state, None

        state = jax.lax.scan(one, solver.init(before, x0), length=3)[0]
        moved = solver.rebase(after, state)
        return state, moved, solver.step(after, moved, key).info

    state, moved, info = whole(X0)
    return state, moved, info, loss.count


@pytest.mark.parametrize("method", sampled(METHODS, ["lbfgs", "adam"]))
def test_the_point_stays_and_the_next_step_is_of_the_other_function(method):
    state, moved, info, _ = rebased(method)
    np.testing.assert_array_equal(moved.x, state.x)
    assert jax.tree.structure(moved) == jax.tree.structure(state)
    x = np.asarray(state.x)
    assert float(info.value) == pytest.approx(np.sum([1, 2] * (x - 1) ** 2) / 2, rel=1e-6)


@pytest.mark.parametrize("method", sampled(CARRYING, ["lbfgs"]))
def test_the_evaluation_that_this_takes_is_reported_with_the_next_step(method):
    """As many evaluations as the loss counts, from the change of the function on."""
    _, _, info, count = rebased(method)
    assert count == info.evals.value


@pytest.mark.parametrize("method", CARRYING)
def test_a_change_of_multipliers_costs_nothing(method):
    """The smooth part was evaluated at the point already."""
    loss, solver = Counted(quartic), CARRYING[method]
    problem = tw.Problem(loss, equality=lambda x: x[0] + x[1] - 1.0)
    none = np.zeros(0, X0.dtype)

    @jax.jit
    def whole(x0, zero, one, penalty):
        state = solver.init(augmented(problem, tw.landscape.Multipliers(zero, none), penalty, False), x0)
        return state, solver.rebase(augmented(problem, tw.landscape.Multipliers(one, none), penalty, False), state)

    state, moved = whole(X0, np.zeros(1, X0.dtype), np.ones(1, X0.dtype), X0.dtype.type(10.0))
    assert loss.count == 1, "that of the start"
    assert int(moved.unreported) == 0
    x = np.asarray(state.x)
    value = np.sum([1, 2] * (x - 1) ** 4) / 4 + (x.sum() - 1.0) + 5.0 * (x.sum() - 1.0) ** 2
    assert float(moved.seen.value) == pytest.approx(value, rel=1e-6)
