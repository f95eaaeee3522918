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


def test_callbacks_are_closed_even_after_an_exception():
    class Holder:
        """Holds something open."""

        every, open = 1, True

        def __call__(self, event):
            raise RuntimeError("lost")

        def close(self):
            self.open = False

    holder = Holder()
    with pytest.raises(RuntimeError, match="lost"):
        tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(8), callbacks=[holder])
    assert not holder.open
