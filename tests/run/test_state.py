"""A run's state is one value: whoever has it goes on as if nothing had happened."""

import pickle

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import assert_same, sampled
from thalweg.core.batches import Batches
from thalweg.prepare import as_problem, planned, start_of
from thalweg.run.ending import finish
from thalweg.run.launch import begin, engine_for
from thalweg.run.plan import Request
from thalweg.run.summary import summarize

RANDOM = np.random.default_rng(3)
X, Y = RANDOM.normal(size=(40, 3)), RANDOM.normal(size=40)
X0 = np.array([2.0, -1.0, 0.5])


def squared_error(w, batch):
    """Of a linear model."""
    features, target = batch
    return jnp.mean((features.astype(w.dtype) @ w - target.astype(w.dtype)) ** 2)


def valley(x):
    """Rosenbrock's function."""
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


CASES = {
    "whole": (tw.Problem(valley), Request(tw.Adam(0.3), tw.Steps(41), chunk=7, keep="best")),
    "whole to convergence": (tw.Problem(valley), Request(tw.LBFGS(), tw.GradNorm(1e-3) | tw.Steps(90), chunk=5)),
    "batches": (
        tw.Problem(squared_error, data=(X[:30], Y[:30]), validation=(X[30:], Y[30:])),
        Request(
            tw.AdamW(0.05),
            tw.Epochs(9) | tw.Patience(4),
            batches=Batches(8),
            keep="best",
            average=tw.EMA(0.9),
            on_nonfinite="rollback",
        ),
    ),
}


def run_of(problem, request, seen):
    """The run before its first chunk, with a callback that notes the rows that it is shown."""
    problem = problem if request.batches is None else problem.in_batches()
    request = request._replace(callbacks=(tw.Every(3, lambda event: seen.extend(event.trace.value.tolist())),))
    x, frozen = start_of(as_problem(problem, None), jnp.asarray(X0, jnp.result_type(float)), request)
    plan = planned(problem, x, frozen, request)
    return begin(plan, x, request, engine_for(plan, x, request), None)


def ended(run):
    """The result of a run that goes on to its end."""
    with run.attended():
        run.go()
        outcome = finish(run)
        run.call_back(final=True)
    return summarize(run, outcome)


@pytest.mark.parametrize("name", sampled(CASES, ["whole", "batches"]))
@pytest.mark.parametrize("chunks", sampled([1, 3], [3]))
def test_a_run_goes_on_from_its_saved_state_as_if_nothing_had_happened(name, chunks):
    problem, request = CASES[name]
    shown, first, second = [], [], []
    whole = ended(run_of(problem, request, shown))
    run = run_of(problem, request, first)
    run.validate_if_due()
    for _ in range(chunks):
        run.forward(run.limit())
        run.validate_if_due()
        run.call_back()
    saved = pickle.dumps(run.state)
    again = run_of(problem, request, second)
    again.state = pickle.loads(saved)
    result = ended(again)
    assert_same(result.x, whole.x)
    assert_same(result.trace, whole.trace)
    assert_same(tuple(result.best), tuple(whole.best))
    assert first + second == shown, "every row is shown once"
    assert (result.status, result.steps, result.kept, result.message) == (
        whole.status,
        whole.steps,
        whole.kept,
        whole.message,
    )
    if whole.validation is not None:
        assert_same(result.validation.value, whole.validation.value)
        assert_same(result.average, whole.average)
