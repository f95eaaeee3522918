"""Ctrl-C: the first lets the chunk finish and the run return, the second raises."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[list[int]]:
    """Yields a list that is empty until Ctrl-C is pressed. In other threads signals are not ours to catch."""
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.getsignal(signal.SIGINT)

    def press(number, frame):
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    if before is not signal.default_int_handler:  # somebody else listens, or Ctrl-C is ignored on purpose
        yield pressed
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
