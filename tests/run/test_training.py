"""Training: running statistics, dropout, validation and the best point, and a state from which a run goes on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import thalweg as tw
from tests.helpers import assert_close, assert_same, at_once, sampled, tol
from tests.run.training import (
    CLOSE,
    EXAMPLES,
    METHOD,
    assert_same_run,
    cut,
    in_memory,
    loss,
    start,
    streamed,
    table,
    taken,
)

# Going on.


@pytest.mark.parametrize("dispatch", ["chunk", "single"])
@pytest.mark.parametrize("cut_at", [1, 3, 4, 11])
def test_a_run_in_memory_goes_on_from_its_state(cut_at, dispatch):
    """In the middle of an epoch, at its end, and after its short last batch; with other chunks."""
    options = {"batch_size": 4, "seed": 3, "dispatch": dispatch}
    whole = tw.minimize(in_memory(), start(), METHOD, stop=tw.Steps(13), **options)
    begun = tw.minimize(in_memory(), start(), METHOD, stop=tw.Steps(cut_at), **options)
    ended = tw.minimize(in_memory(), start(), METHOD, stop=tw.Steps(13), state=begun.state, chunk=2, **options)
    assert_same(ended.x, whole.x)
    assert_same(ended.state, whole.state._replace(host=ended.state.host))
    np.testing.assert_array_equal(ended.trace.value, whole.trace.value[cut_at:])
    assert (ended.first_step, ended.steps, ended.epochs) == (cut_at, 13, 13 / 3)


@pytest.mark.thorough
def test_patience_goes_on_counting_in_memory():
    problem = functools.partial(in_memory, validation=table(5, seed=1))
    options = {"batch_size": 4, "validate_every": 2}
    stop = tw.Patience(3) | tw.Steps(60)
    whole = tw.minimize(problem(), start(), tw.Adam(0.5), stop=stop, **options)
    assert isinstance(whole.rule, tw.Patience)
    for cut_at in (whole.steps - 5, whole.steps - 4, whole.steps - 1):
        begun = tw.minimize(problem(), start(), tw.Adam(0.5), stop=tw.Patience(3) | tw.Steps(cut_at), **options)
        ended = tw.minimize(problem(), start(), tw.Adam(0.5), stop=stop, state=begun.state, **options)
        assert (ended.status, ended.steps, ended.rule) == (whole.status, whole.steps, whole.rule)
        assert_same(ended.x, whole.x)


IN_EPOCHS = [pytest.param(tw.Epochs(count), marks=pytest.mark.thorough) for count in (2, 0.5)]


@pytest.mark.parametrize("limit", [tw.Steps(6), tw.Steps(4), *IN_EPOCHS])
@pytest.mark.parametrize("kind", ["memory", "streamed", "single", "whole"])
def test_a_run_that_is_over_makes_no_step_more(kind, limit):
    """A script that is started again after its end must not go on."""
    problem = streamed(cut(table(), 4)) if kind == "streamed" else in_memory()
    options = {"batch_size": 4} if kind in ("memory", "single") else {}
    options |= {"dispatch": "single"} if kind == "single" else {}
    ended = tw.minimize(problem, start(), METHOD, stop=tw.Steps(6), **options)
    again = tw.minimize(problem, start(), METHOD, stop=tw.Target(-1.0) | limit, state=ended.state, **options)
    assert (again.steps, again.first_step, again.status, again.rule) == (6, 6, tw.Status.STEP_LIMIT, limit)
    assert again.ok
    assert_same(again.x, ended.x)
    assert_same(again.state.state, ended.state.state)
    assert len(again.trace.value) == (1 if kind == "whole" else 0)
    repr(again)


# Running statistics.


def normed(rngs):
    """A layer with running statistics, and one behind it."""
    return nnx.Sequential(
        nnx.BatchNorm(3, momentum=0.8, rngs=rngs, param_dtype=float), nnx.Linear(3, 1, rngs=rngs, param_dtype=float)
    )


def wide(tree):
    """Flax begins its statistics in float32 whatever it is told."""
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf, jnp.result_type(float))), tree)


@functools.cache
def split():
    """The graph of the layers, their parameters, their statistics, and the rest."""
    graph, parameters, statistics, rest = nnx.split(normed(nnx.Rngs(0)), nnx.Param, nnx.BatchStat, ...)
    return graph, wide(parameters), wide(statistics), rest


def merged(params, statistics):
    """The layers with these."""
    graph, _, _, rest = split()
    return nnx.merge(graph, params, statistics, rest)


def normed_loss(params, statistics, batch):
    """The loss in training mode, and the statistics after it."""
    features, targets, _ = batch
    model = merged(params, statistics)
    value = jnp.mean((model(features)[:, 0] - targets) ** 2)
    return value, nnx.state(model, nnx.BatchStat)


def normed_metrics(params, batch, statistics):
    """The same model with the statistics that it has gathered."""
    model = merged(params, statistics)
    model.eval()
    return {"error": jnp.mean((model(batch[0])[:, 0] - batch[1]) ** 2)}


@pytest.mark.thorough
@pytest.mark.parametrize("keep", sampled(["last", "best"], ["best"]))
def test_running_statistics_are_those_of_flax(keep):
    """With the mean over a short last batch; and with the best point come the statistics that it had."""
    _, parameters, statistics, _ = split()
    held_out = table(40, seed=1)
    problem = tw.Problem(normed_loss, table(), stateful=True, validation=held_out, metrics=normed_metrics)
    options = {"batch_size": 4, "stop": tw.Epochs(5), "seed": 3, "keep": keep, "validate_every": 4}
    rate = tw.schedules.Piecewise([12], [0.3, 30.0])  # the last steps spoil what was good
    with jax.numpy_dtype_promotion("standard"):
        result = tw.minimize(problem, parameters, tw.Adam(rate), model_state=statistics, **options)

        model = merged(parameters, statistics)
        optimizer = nnx.Optimizer(model, optax.adam(rate), wrt=nnx.Param)

        @nnx.jit
        def train(model, optimizer, batch):
            grad = nnx.grad(lambda model: jnp.mean((model(batch[0])[:, 0] - batch[1]) ** 2))(model)
            optimizer.update(model, grad)

        for batch in taken(result.kept, seed=3):
            train(model, optimizer, batch)
        assert result.kept == 15 if keep == "last" else 0 < result.kept < 15
        assert_close(jax.tree.leaves(result.x), jax.tree.leaves(nnx.state(model, nnx.Param)), tol(1e-10, 1e-4))
        assert_close(
            jax.tree.leaves(result.model_state), jax.tree.leaves(nnx.state(model, nnx.BatchStat)), tol(1e-10, 1e-4)
        )
        row = list(result.validation.step).index(result.kept)
        model.eval()
        expected = float(np.mean((np.asarray(model(held_out[0]))[:, 0] - held_out[1]) ** 2))
    assert result.validation.metrics["error"][row] == pytest.approx(expected, rel=tol(1e-9, 1e-3))


def counting(params, count, batch):
    """The state counts the steps, and the value shows what it has read."""
    return jnp.mean((batch[0] @ params - batch[1]) ** 2) + count, count + 1.0


@pytest.mark.parametrize("kind", sampled(["memory", "streamed", "single"], ["memory"]))
def test_validation_reads_the_state_and_never_writes_it(kind):
    data = tw.Stream(cut(table()[:2], 4)) if kind == "streamed" else table()[:2]
    problem = tw.Problem(counting, data, stateful=True, validation=table(5)[:2])
    options = {"dispatch": "single"} if kind == "single" else {}
    options |= {} if kind == "streamed" else {"batch_size": 4}
    run = functools.partial(tw.minimize, problem, np.zeros(3), METHOD, model_state=np.asarray(0.0), **options)
    result = run(stop=tw.Steps(8), validate_every=2)
    assert float(result.model_state) == 8.0
    features, targets, _ = table(5)
    quiet = float(np.mean((features @ np.asarray(result.x) - targets) ** 2))
    assert result.validation.value[-1] == pytest.approx(8.0 + quiet, rel=CLOSE)
    best = run(stop=tw.Steps(8), validate_every=2, keep="best")
    assert (best.kept, float(best.model_state)) == (0, 0.0), "every step makes it worse"
    assert float(best.state.model_state) == 8.0, "the state goes on from the end"
    rest = run(stop=tw.Steps(9), state=best.state)
    assert float(rest.model_state) == 9.0
    assert_same(rest.x, run(stop=tw.Steps(9)).x)


# Dropout.


def dropout(params, batch, key):
    """The loss with features dropped at random; without a key, with all of them."""
    features, targets, _ = batch
    mask = jnp.ones(3) if key is None else jax.random.bernoulli(key, 0.5, (3,)).astype(features.dtype) * 2.0
    return jnp.mean((features * mask @ params["w"] + params["b"] - targets) ** 2), {
        "mask": mask @ jnp.asarray([1.0, 10.0, 100.0])
    }


@pytest.mark.thorough
def test_masks_differ_by_step_and_repeat_by_seed():
    problem = tw.Problem(dropout, table(), has_aux=True, validation=table(5))
    options = {"batch_size": 4, "stop": tw.Steps(12)}
    first, again, other = (tw.minimize(problem, start(), METHOD, seed=seed, **options) for seed in (0, 0, 1))
    assert_same_run(first, again)
    assert len(set(first.trace.aux["mask"].tolist())) > 4
    assert first.trace.aux["mask"].tolist() != other.trace.aux["mask"].tolist()
    for chunk in (1, 5):
        assert_same_run(tw.minimize(problem, start(), METHOD, chunk=chunk, **options), first)
    begun = tw.minimize(problem, start(), METHOD, batch_size=4, stop=tw.Steps(5))
    rest = tw.minimize(problem, start(), METHOD, state=begun.state, **options)
    np.testing.assert_array_equal(rest.trace.aux["mask"], first.trace.aux["mask"][5:])
    expected, _ = at_once(dropout, first.x, table(5), None)
    assert first.validation.value[-1] == pytest.approx(float(expected), rel=CLOSE)


# Validation.


def test_the_best_point_is_that_of_a_run_which_ends_there():
    problem = in_memory(validation=table(5), validation_loss=lambda p, batch: (p["w"][1] + 1.0) ** 2)
    options = {"batch_size": 4, "validate_every": 2}
    result = tw.minimize(problem, start(), tw.Adam(0.5), stop=tw.Steps(21), keep="best", **options)
    row = int(np.argmin(result.validation.value))
    assert 0 < result.kept == result.validation.step[row] < 21
    assert_same(result.x, tw.minimize(problem, start(), tw.Adam(0.5), stop=tw.Steps(result.kept), **options).x)
    assert (result.best.step, result.best.value) == (result.kept, result.validation.value[row])
    assert_same(result.best.x, result.x)
    last = tw.minimize(problem, start(), tw.Adam(0.5), stop=tw.Steps(21), **options)
    assert_same(last.best.x, result.x)
    assert (last.kept, result.steps) == (21, 21)


@pytest.mark.parametrize("every", [1, 2])
def test_a_run_to_a_target_validates_the_point_that_it_returns(every):
    """Not the one after it."""
    problem = in_memory(validation=table(5, seed=1))
    for keep in ("last", "best"):
        options = {"stop": tw.Target(1.0) | tw.Steps(50), "batch_size": 4, "validate_every": every, "keep": keep}
        result = tw.minimize(problem, start(), METHOD, **options)
        assert isinstance(result.rule, tw.Target)
        assert result.kept <= result.steps == result.validation.step[-1]
        assert np.all(np.diff(result.validation.step) > 0)


def parts(params, batch):
    """Two numbers that are means."""
    features, targets, numbers = batch
    residual = features @ params["w"] + params["b"] - targets
    return {"absolute": jnp.mean(jnp.abs(residual)), "number": jnp.mean(numbers)}


@pytest.mark.parametrize("kind", sampled(["blocks", "stream"], ["blocks"]))
def test_the_mean_over_blocks_is_the_mean_over_all(kind):
    """2500 examples are three blocks of which the last one is shorter; a stream has its own."""
    held_out = table(2500, seed=1)
    validation = held_out if kind == "blocks" else tw.Stream(cut(held_out, 900))
    lengths = set()

    def metrics(params, batch):
        lengths.add(len(batch[0]))
        return parts(params, batch)

    problem = in_memory(validation=validation, metrics=metrics)
    result = tw.minimize(problem, start(), METHOD, batch_size=4, stop=tw.Steps(4), validate_every=2)
    np.testing.assert_array_equal(result.validation.step, [0, 2, 4])
    assert lengths == ({834, 832} if kind == "blocks" else {900, 700})
    expected = at_once(parts, result.x, held_out)
    for name in expected:
        assert result.validation.metrics[name][-1] == pytest.approx(float(expected[name]), rel=CLOSE)
    value, _ = at_once(loss, result.x, held_out)
    assert result.validation.value[-1] == pytest.approx(float(value), rel=CLOSE)


@pytest.mark.thorough
def test_the_size_of_a_block_is_at_least_that_of_a_batch():
    seen = []

    def metrics(params, batch):
        seen.append(len(batch[0]))
        return {}

    problem = in_memory(EXAMPLES * 200, validation=table(4500, seed=1), metrics=metrics)
    tw.minimize(problem, start(), METHOD, batch_size=2000, stop=tw.Steps(1))
    assert set(seen) == {1500}
