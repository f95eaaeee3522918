"""Ctrl-C and SIGTERM while a run trains: the first returns what was computed, the second raises with it."""

import os
import signal

import numpy as np
import pytest

import thalweg as tw
from tests.helpers import assert_same, sampled
from tests.run.training import METHOD, cut, in_memory, start, streamed, table

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


def problem(kind):
    """The problem, and the options with which it is trained."""
    if kind == "streamed":
        return streamed(cut(table(), 4)), {}
    return in_memory(), {"batch_size": 4, "dispatch": "single" if kind == "single" else "chunk"}


def send(*signals, step=5):
    """A callback that sends signals after a step."""

    def callback(event):
        if event.step == step:
            for number in signals:
                os.kill(os.getpid(), number)

    return tw.Every(1, callback)


@pytest.fixture(autouse=True)
def handlers_are_given_back():
    """Whatever happens."""
    before = [signal.getsignal(number) for number in NAMES]
    yield
    assert [signal.getsignal(number) for number in NAMES] == before


@pytest.mark.parametrize("number", NAMES, ids=NAMES.values())
@pytest.mark.parametrize("kind", sampled(["memory", "streamed", "single"], ["memory", "streamed"]))
def test_the_first_one_returns_what_was_computed(kind, number):
    trained, options = problem(kind)
    result = tw.minimize(trained, start(), METHOD, stop=tw.Steps(10**6), callbacks=[send(number)], **options)
    limited = tw.minimize(trained, start(), METHOD, stop=tw.Steps(5), **options)
    assert (result.status, result.ok, result.steps, result.rule) == (tw.Status.INTERRUPTED, True, 5, None)
    assert result.message == f"interrupted by {NAMES[number]}."
    assert_same(result.x, limited.x)
    np.testing.assert_array_equal(result.trace.value, limited.trace.value)
    rest = tw.minimize(trained, start(), METHOD, stop=tw.Steps(9), state=result.state, **options)
    assert_same(rest.x, tw.minimize(trained, start(), METHOD, stop=tw.Steps(9), **options).x)


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
@pytest.mark.parametrize("kind", ["memory", "streamed"])
def test_the_second_one_raises_with_what_was_computed(kind, signals):
    trained, options = problem(kind)
    with pytest.raises(KeyboardInterrupt) as caught:
        tw.minimize(trained, start(), METHOD, stop=tw.Steps(10**6), callbacks=[send(*signals)], **options)
    result = caught.value.result
    assert (result.status, result.steps) == (tw.Status.INTERRUPTED, 5)
    assert_same(result.x, tw.minimize(trained, start(), METHOD, stop=tw.Steps(5), **options).x)
    rest = tw.minimize(trained, start(), METHOD, stop=tw.Steps(9), state=result.state, **options)
    assert_same(rest.x, tw.minimize(trained, start(), METHOD, stop=tw.Steps(9), **options).x)


def test_a_validation_is_measured_at_the_point_of_interruption():
    held_out = in_memory(validation=table(5))
    result = tw.minimize(held_out, start(), METHOD, batch_size=4, stop=tw.Never(), callbacks=[send(signal.SIGTERM)])
    np.testing.assert_array_equal(result.validation.step, [0, 3, 5])


def test_a_run_that_is_over_is_not_interrupted():
    """The signal comes after the last step: the stop rule has fired."""
    result = tw.minimize(in_memory(), start(), METHOD, batch_size=4, stop=tw.Steps(5), callbacks=[send(signal.SIGINT)])
    assert (result.status, result.steps) == (tw.Status.STEP_LIMIT, 5)


@pytest.mark.thorough
def test_a_signal_while_the_stream_is_read_finishes_the_chunk():
    def slow():
        for number, batch in enumerate(cut(table(), 4) * 4):
            if number == 4:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch

    trained = streamed(slow())
    result = tw.minimize(trained, start(), METHOD, stop=tw.Steps(12), chunk=2)
    assert result.status == tw.Status.INTERRUPTED
    assert 0 < result.steps < 12
    rest = tw.minimize(trained, start(), METHOD, stop=tw.Steps(12), state=result.state)
    assert_same(rest.x, tw.minimize(streamed(cut(table(), 4)), start(), METHOD, stop=tw.Steps(12)).x)
