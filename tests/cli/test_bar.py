"""The bar and the summary: what a reader sees of a run."""

import sys

import numpy as np
import pytest

import thalweg as tw
from thalweg.core.trace import Trace
from thalweg.run import callbacks
from thalweg.run.callbacks import Event, Progress
from thalweg.run.result import duration, plural, spread


def event(step, seconds=0.0, final=False, **validation):
    column = np.array([3.0, 1.25])
    trace = Trace(column, np.array([1.0, 0.5]), column, column, tw.Evals(), column)
    return Event(step, None, None, None, trace, validation, seconds, final)


class Recorded:
    """Rich's bar, remembering what it was asked to show."""

    task_ids = (0,)

    def __init__(self):
        self.updates, self.stopped = [], 0

    def add_task(self, name, **fields):
        self.updates.append(fields)

    def update(self, task, **fields):
        self.updates.append(fields)

    def stop(self):
        self.stopped += 1


@pytest.fixture
def bar(monkeypatch):
    recorded = Recorded()
    monkeypatch.setattr(callbacks, "open_bar", lambda: recorded)
    return recorded


def test_the_numbers_beside_the_bar():
    text = Progress().text(event(7, validation_value=0.5, validation_accuracy=0.975))
    assert text == "step 7  value 1.25  validation 0.5  accuracy 0.975  optimality 0.5"


def test_it_is_refreshed_a_few_times_a_second(bar):
    progress = Progress(100, terminal=True)
    for step in range(1, 101):
        progress(event(step, seconds=step / 1000, final=step == 100))
    assert bar.updates[0] == {"total": 100, "text": "compiling"}
    assert len(bar.updates) == 3
    assert bar.updates[-1]["completed"] == bar.updates[-1]["total"] == 100
    assert bar.stopped == 1


def test_the_terminal_is_given_back_whatever_happens(bar):
    with pytest.raises(KeyError), Progress(terminal=True):
        raise KeyError
    assert bar.stopped == 1


def test_without_a_terminal_nothing_is_opened(bar):
    with Progress(terminal=False) as progress:
        progress(event(1, final=True))
    assert bar.updates == []


def test_without_rich_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ImportError, match=r'pip install "thalweg\[cli\]"'):
        Progress(terminal=True).open()


def test_the_summary_says_which_point_was_kept():
    steps = []
    job = tw.problems.rosenbrock()
    result = tw.minimize(job.problem, job.x0, tw.Adam(0.5), stop=tw.Steps(7), keep="best", callbacks=[steps.append])
    lowest = int(np.argmin(result.trace.value))
    assert result.kept == lowest < 7
    assert f"the point of step {lowest}, the best of the run" in repr(result)
    assert f"-> {result.trace.value[lowest]:.6g}" in repr(result)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3e-6, "3 us"), (0.0321, "32.1 ms"), (9.994, "9.99 s"), (75, "75 s"), (119.9, "2 min 0 s"), (7300, "2 h 1 min")],
)
def test_times_in_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text


def test_one_is_not_many():
    assert (plural(1, "step"), plural(0, "step")) == ("1 step", "0 steps")


def test_lanes_that_were_lost_are_counted():
    assert spread(np.array([np.nan, np.nan])) == "2, none of which reached a finite value"
    assert spread(np.array([1.0, np.nan, 3.0])) == "3: 1 best, 2 median, 3 worst, 1 lost"
