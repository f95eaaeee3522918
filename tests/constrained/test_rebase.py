"""Same point, other function: what a method around another one may do to its state, and what that costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import Counted, half_square, quartic
from thalweg.solvers.constrained.augmented import augmented

CARRYING = {"lbfgs": tw.LBFGS(), "conjugate-gradient": tw.ConjugateGradient(), "projected": tw.ProjectedGradient()}
AFRESH = {"adam": tw.FirstOrder(tw.Adam(0.1)), "fista": tw.FISTA(), "trust-region": tw.TrustRegion()}


def stepped(method, problem, steps=3):
    """The state after some steps."""
    carry = tw.start(problem, method, jnp.asarray([0.5, -1.0]), tw.Steps(steps))
    return tw.iterate(problem, method, carry, tw.Steps(steps), jax.random.key(0), capacity=steps)[0].state


@pytest.mark.parametrize("method", [*CARRYING.values(), *AFRESH.values()], ids=[*CARRYING, *AFRESH])
def test_the_point_stays_and_the_next_step_is_of_the_other_function(method):
    state = stepped(method, tw.Problem(quartic))
    moved = method.rebase(tw.Problem(half_square), state)
    np.testing.assert_array_equal(moved.x, state.x)
    assert jax.tree.structure(moved) == jax.tree.structure(state)
    info = method.step(tw.Problem(half_square), moved, jax.random.key(0)).info
    assert float(info.value) == pytest.approx(float(half_square(state.x)), rel=1e-6)


@pytest.mark.parametrize("method", CARRYING.values(), ids=CARRYING)
def test_the_evaluation_that_this_takes_is_reported_with_the_next_step(method):
    """As many evaluations as the loss counts, from the change of the function on."""
    state = stepped(method, tw.Problem(quartic))
    loss = Counted(half_square)
    problem = tw.Problem(loss)
    moved = method.rebase(problem, state)
    evals = method.step(problem, moved, jax.random.key(0)).info.evals
    jax.effects_barrier()
    assert loss.count == evals.value


@pytest.mark.parametrize("method", CARRYING.values(), ids=CARRYING)
def test_a_change_of_multipliers_costs_nothing(method):
    """The smooth part was evaluated at the point already."""
    loss = Counted(quartic)
    problem = tw.Problem(loss, equality=lambda x: x[0] + x[1] - 1.0)
    zero = tw.landscape.Multipliers(jnp.zeros(1), jnp.zeros(0))
    one = tw.landscape.Multipliers(jnp.ones(1), jnp.zeros(0))
    state = method.init(augmented(problem, zero, jnp.asarray(10.0), False), jnp.asarray([0.5, -1.0]))
    jax.effects_barrier()
    before = loss.count
    moved = method.rebase(augmented(problem, one, jnp.asarray(10.0), False), state)
    jax.effects_barrier()
    assert loss.count == before == 1
    assert int(moved.unreported) == 0
    value = quartic(state.x) + (state.x.sum() - 1.0) + 5.0 * (state.x.sum() - 1.0) ** 2
    assert float(moved.seen.value) == pytest.approx(float(value), rel=1e-6)
