"""Callbacks of a run on batches: when they are called, what they see, and how they end it."""

import time

import numpy as np
import pytest

import thalweg as tw
from tests.helpers import assert_same, compilations
from tests.run.training import EXAMPLES, METHOD, NoLength, cut, in_memory, start, streamed, table

BATCHES = cut(table(), 4)
KINDS = ["memory", "list", "loader", "generator", "single"]
by_kind = pytest.mark.parametrize("kind", KINDS)


def train(kind, steps=10, method=METHOD, **options):
    """A run on batches of four; three of them are an epoch."""
    sources = {"list": lambda: BATCHES, "loader": lambda: NoLength(BATCHES), "generator": lambda: iter(BATCHES * 40)}
    if kind in sources:
        return tw.minimize(streamed(sources[kind]()), start(), method, stop=tw.Steps(steps), **options)
    options |= {"batch_size": 4, "dispatch": "single" if kind == "single" else "chunk"}
    return tw.minimize(in_memory(), start(), method, stop=tw.Steps(steps), **options)


@by_kind
@pytest.mark.parametrize(
    ("every", "due"),
    [(None, [3, 6, 9]), (tw.Epochs(1), [3, 6, 9]), (tw.Epochs(2), [6]), (4, [4, 8]), (tw.Steps(5), [5, 10])],
    ids=str,
)
def test_a_callback_is_called_when_it_is_due(kind, every, due):
    """Without a period of its own, once an epoch."""
    events = []
    callback = events.append if every is None else tw.Every(every, events.append)
    if kind == "generator" and isinstance(every, tw.Epochs):
        with pytest.raises(ValueError, match=r"Every=Epochs.* give whole steps"):
            train(kind, callbacks=[callback])
        return
    result = train(kind, callbacks=[callback])
    due = due if not (kind == "generator" and every is None) else []
    assert [event.step for event in events] == due
    for event in events:
        expected = {"generator": None, "loader": event.step // 3}.get(kind, event.step / 3)
        assert event.epoch == pytest.approx(expected)
        assert_same(event.x, train(kind, event.step).x)
    rows = [value for event in events for value in event.trace.value]
    np.testing.assert_array_equal(rows, result.trace.value[: due[-1] if due else 0])
    assert [event.first_row for event in events] == [0, *due[:-1]][: len(due)]


def test_every_callback_sees_its_own_rows():
    rows = {2: [], 3: []}
    callbacks = [tw.Every(n, lambda event, n=n: rows[n].append(len(event.trace.value))) for n in rows]
    train("memory", 12, callbacks=callbacks)
    assert rows == {2: [2] * 6, 3: [3] * 4}


@by_kind
@pytest.mark.parametrize("how", ["stop", "StopIteration", "error"])
def test_a_run_that_a_callback_ends_is_the_run_with_that_limit(kind, how):
    def callback(event):
        if event.step == 5 and how == "stop":
            return "stop"
        if event.step == 5:
            raise StopIteration if how == "StopIteration" else RuntimeError("disk full")
        return None

    limited = train(kind, 5)
    if how == "error":
        with pytest.raises(RuntimeError, match="disk full") as caught:
            train(kind, 50, callbacks=[tw.Every(1, callback)])
        result = caught.value.result
        assert (result.status, result.message) == (tw.Status.INTERRUPTED, "an exception broke it off.")
    else:
        result = train(kind, 50, callbacks=[tw.Every(1, callback)])
        assert (result.status, result.ok, result.message) == (tw.Status.STOPPED, True, "a callback said stop.")
    assert result.steps == 5
    assert_same(result.x, limited.x)
    assert_same(result.state.state, limited.state.state)
    np.testing.assert_array_equal(result.trace.value, limited.trace.value)


@by_kind
def test_the_rate_can_be_changed_without_compiling(kind):
    """And is that from which the run was told to go on."""
    rates = []

    def halve(event):
        rates.append(event.solver.rule.learning_rate)
        return tw.change(event.solver, learning_rate=event.solver.rule.learning_rate / 2)

    train(kind)
    with compilations() as programs:
        result = train(kind, method=tw.Adam(0.2), callbacks=[tw.Every(4, halve)])
    assert programs == []
    assert rates == [0.2, 0.1]
    np.testing.assert_allclose(result.trace.step_size, [0.2] * 4 + [0.1] * 4 + [0.05] * 2)
    assert float(result.method.rule.learning_rate) == 0.05
    parts = train(kind, 4, method=tw.Adam(0.2)) if kind != "generator" else None
    for rate, steps in ((0.1, 8), (0.05, 10)) if parts else ():
        parts = train(kind, steps, method=tw.Adam(rate), state=parts.state)
    assert parts is None or np.array_equal(parts.x["w"], result.x["w"])


def test_a_slow_callback_changes_nothing():
    result = train("memory", callbacks=[tw.Every(2, lambda event: time.sleep(0.02))])
    assert_same(result.x, train("memory").x)
    assert result.seconds.run >= 5 * 0.02


def test_the_latest_validation_is_in_the_event():
    events = []
    problem = in_memory(validation=table(5), metrics=lambda params, batch: {"b": params["b"]})
    options = {"batch_size": 4, "stop": tw.Epochs(2), "callbacks": [events.append]}
    result = tw.minimize(problem, start(), METHOD, **options)
    assert [event.validation["validation_value"] for event in events] == result.validation.value[1:].tolist()
    assert events[-1].validation["validation_b"] == pytest.approx(float(result.x["b"]))
    assert events[0].length == 6
    assert EXAMPLES == 11
