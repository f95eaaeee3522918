"""Conjugate gradients side by side: no run waits for the search of another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import EPS, X64
from thalweg.core.jaxprs import inner
from thalweg.core.lanes import Case, begin_lane, rests, turn_lane
from thalweg.core.stop import make_host

FLOAT = np.float64 if X64 else np.float32
STARTS = np.random.default_rng(7).normal(size=(5, 4)).astype(FLOAT)
SEARCHES = {
    "hager-zhang": tw.line_search.HagerZhang(curvature=0.1),
    "strong-wolfe": tw.line_search.StrongWolfe(curvature=0.1),
    "backtracking": tw.line_search.Backtracking(),
    "inverse-lipschitz": tw.line_search.InverseLipschitz(),
    "barzilai-borwein": tw.line_search.BarzilaiBorwein(),
}


def valley(x):
    """Rosenbrock's function, less steep."""
    return jnp.sum(10 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.thorough
def test_runs_together_are_runs_alone():
    method, stop = tw.ConjugateGradient(), tw.Steps(10)
    together = tw.minimize_batch(valley, STARTS, method, stop=stop)
    for run, start in enumerate(STARTS):
        alone = tw.minimize(valley, start, method, stop=stop)
        tolerance = 1e4 * EPS  # ten steps of sums in another order
        np.testing.assert_allclose(together[run].x, alone.x, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(together[run].trace.value, alone.trace.value, rtol=1e2 * tolerance)
        assert together[run].evals == alone.evals
        assert (together[run].steps, together[run].status) == (alone.steps, alone.status)


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_a_turn_holds_one_evaluation(search):
    """The gradient of a sum of cosines is the only sine of the program."""
    solver = tw.ConjugateGradient(search=search)
    problem = tw.Problem(lambda x: jnp.sum(jnp.cos(x))).training()
    case = Case(problem, solver, tw.Steps(3), jax.random.key(0))
    assert rests(solver)
    lane = jax.eval_shape(lambda x: begin_lane(case, x, make_host()), STARTS[0])
    program = jax.make_jaxpr(lambda lane: [leaf for leaf in jax.tree.leaves(turn_lane(case, lane))])(lane)
    assert count(program.jaxpr, "sin") == 1
    assert count(program.jaxpr, "while") == 0


def count(jaxpr, name):
    """How often an operation stands in a program, in whatever depth."""
    return sum((eqn.primitive.name == name) + sum(count(sub, name) for sub in inner(eqn)) for eqn in jaxpr.eqns)
