"""The counts that a result reports are those of a loss that counts itself."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import FINITE_SUM, REPRESENTATIVE, RESIDUALS, Counted, half_square, posed, quartic, solver, until

STOPS = {
    "steps": tw.Steps(12),
    "converged": None,
    "evaluations": tw.Evaluations(9) | tw.Steps(50),
}


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_counts_are_true(name, stop):
    loss = Counted(quartic)
    stop = until(name, 1e-2) | tw.Steps(500) if stop is None else stop
    result = tw.minimize(posed(name, loss), np.zeros(2), solver(name), stop=stop)
    assert loss.count == result.evals.value
    assert result.evals.gradient <= result.evals.value
    assert result.evals.examples == 0 or name in FINITE_SUM


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_counts_of_single_dispatch_are_true(name):
    loss = Counted(quartic)
    result = tw.minimize(posed(name, loss), np.zeros(2), solver(name), stop=tw.Steps(5), dispatch="single")
    assert loss.count == result.evals.value


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_replayed_steps_are_counted(name):
    loss = Counted(lambda x: jnp.where(jnp.max(x) > 0.9, jnp.nan, half_square(x)))
    result = tw.minimize(
        posed(name, loss), np.zeros(2), solver(name), stop=tw.Steps(40), keep="best", on_failure="ignore"
    )
    assert loss.count == result.evals.value


@pytest.mark.parametrize("name", [name for name in REPRESENTATIVE if name not in FINITE_SUM])
def test_every_value_reads_all_examples(name):
    data = np.linspace(0.4, 2.0, 7)
    loss = tw.LeastSquares(lambda x, batch: (x - batch) ** 2) if name in RESIDUALS else mean_quartic
    problem = tw.Problem(loss, data)
    result = tw.minimize(problem, np.zeros(()), solver(name), stop=tw.Steps(4))
    assert result.evals.examples == 7 * (result.evals.value + result.evals.hvp) > 0
    assert result.epochs == 4.0


def mean_quartic(x, batch):
    """The mean over all examples."""
    return jnp.mean((x - batch) ** 4)


def test_the_step_in_progress_is_finished():
    result = tw.minimize(quartic, np.zeros(2), tw.SGD(0.1), stop=tw.Evaluations(5))
    assert (result.status, result.ok, result.steps) == (tw.Status.STEP_LIMIT, True, 5)
    assert isinstance(result.rule, tw.Evaluations)
