"""Ctrl-C and SIGTERM: the first lets the chunk finish and the run return, the second raises."""

import contextlib
import signal
import threading
from collections.abc import Iterator

_LISTENED = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""The signals, and the handler that says that nobody else listens."""


@contextlib.contextmanager
def interruptible() -> Iterator[list[int]]:
    """Yields a list to which the signals that come are appended.

    In other threads, and where somebody else listens or a signal is ignored on purpose, it is not ours to catch.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def hear(number, frame):
        if came:
            raise KeyboardInterrupt(number)
        came.append(number)

    ours = [number for number, idle in _LISTENED.items() if signal.getsignal(number) is idle]
    before = {number: signal.signal(number, hear) for number in ours}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
