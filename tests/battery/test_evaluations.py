"""The counts that a result reports are those of a loss that counts itself."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.battery.runs import KINDS, limits, measured, single
from tests.helpers import FINITE_SUM, REPRESENTATIVE, RESIDUALS, Counted, half_square, posed, quartic, sampled, solver

STOPS = {"steps": (12,), "converged": (500, 1e-2), "evaluations": (50, 0.0, 9)}
"""Arguments of `limits`."""


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_counts_are_true(name, stop):
    result, executions = measured(name, limits(name, *stop))
    assert executions == result.evals.value
    assert result.evals.gradient <= result.evals.value
    assert result.evals.examples == 0 or name in FINITE_SUM


@pytest.mark.parametrize("name", sampled(REPRESENTATIVE, KINDS))
def test_counts_of_single_dispatch_are_true(name):
    result, executions = single(name)
    assert executions == result.evals.value


LOST = Counted(lambda x: jnp.where(jnp.max(x) > 0.9, jnp.nan, 1) * half_square(x))
"""NaN beyond 0.9, with a NaN gradient; every method gets there from 0."""


@pytest.mark.parametrize("name", sampled(REPRESENTATIVE, KINDS))
def test_replayed_steps_are_counted(name):
    before = LOST.count
    stop = tw.Steps(40)
    result = tw.minimize(posed(name, LOST), np.zeros(2), solver(name), stop=stop, keep="best", on_failure="ignore")
    assert LOST.count - before == result.evals.value


@pytest.mark.parametrize("name", sampled(REPRESENTATIVE, KINDS))
def test_nan_everywhere_is_nonfinite_at_step_0(name):
    x0 = np.ones(2)
    with pytest.warns(tw.MinimizeWarning, match="NONFINITE"):
        result = tw.minimize(posed(name, LOST), x0, solver(name), stop=tw.Steps(9))
    assert (result.status, result.ok, result.rule) == (tw.Status.NONFINITE, False, None)
    assert "at step 0" in result.message
    assert len(result.trace.value) == 1
    np.testing.assert_array_equal(result.x, x0)


@pytest.mark.parametrize("name", sampled([name for name in REPRESENTATIVE if name not in FINITE_SUM], KINDS))
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
