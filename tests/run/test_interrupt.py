"""Ctrl-C once returns what was computed, twice raises; and the handler is given back."""

import os
import signal

import numpy as np
import pytest

import thalweg as tw
from tests.run.test_driver import bowl, start


def press(event):
    """Ctrl-C in the middle of a run."""
    if event.step == 5:
        os.kill(os.getpid(), signal.SIGINT)


def test_once_returns_what_was_computed():
    result = tw.minimize(bowl, start(), tw.Adam(0.1), stop=tw.Steps(10**6), callbacks=[press])
    limited = tw.minimize(bowl, start(), tw.Adam(0.1), stop=tw.Steps(5))
    assert result.status == tw.Status.INTERRUPTED and result.ok
    np.testing.assert_array_equal(result.x, limited.x)


def test_twice_raises():
    def press_twice(event):
        press(event)
        press(event)

    with pytest.raises(KeyboardInterrupt):
        tw.minimize(bowl, start(), tw.Adam(0.1), stop=tw.Steps(100), callbacks=[press_twice])


def test_the_exception_knows_the_second_signal():
    def press_and_ask(event):
        press(event)
        if event.step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt) as caught:
        tw.minimize(bowl, start(), tw.Adam(0.1), stop=tw.Steps(100), callbacks=[press_and_ask])
    assert caught.value.args == (signal.SIGTERM,)
    assert caught.value.result.steps == 5


def test_the_handler_is_given_back():
    before = signal.getsignal(signal.SIGINT)
    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(2))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_the_user_is_left_alone():
    caught = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(8), callbacks=[press])
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught == [signal.SIGINT]


def test_the_result_knows_the_signal():
    def asked_to_go(event):
        if event.step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    ended = tw.minimize(bowl, start(), tw.Adam(0.1), stop=tw.Steps(10**6), callbacks=[asked_to_go])
    assert (ended.signal, ended.message) == (signal.SIGTERM, "interrupted by SIGTERM.")
    assert tw.minimize(bowl, start(), tw.Adam(0.1), stop=tw.Steps(9), callbacks=[press]).signal == signal.SIGINT
    assert tw.minimize(bowl, start(), tw.Adam(0.1), stop=tw.Steps(5), callbacks=[press]).signal is None


def test_one_callback_that_fails_to_close_keeps_no_other_from_it():
    closed = []

    class Failing:
        """A file on a full disk."""

        every = 1

        def __call__(self, event):
            pass

        def close(self):
            closed.append(self)
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(2), callbacks=[Failing(), Failing()])
    assert len(closed) == 2


def test_callbacks_are_closed_even_after_an_exception():
    class Holder:
        """Holds something open."""

        every, held = 1, True

        def __call__(self, event):
            raise RuntimeError("lost")

        def close(self):
            self.held = False

    holder = Holder()
    with pytest.raises(RuntimeError, match="lost"):
        tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(8), callbacks=[holder])
    assert not holder.held
