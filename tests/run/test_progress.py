"""The bar: what it shows, where there is room for it, when, and that it gives the terminal back."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.run.test_driver import bowl, start
from thalweg.core.trace import Trace
from thalweg.run.observe import progress
from thalweg.run.observe.progress import Pace, Progress, clock, fit

EMPTY = np.empty(0)


def event(step, values=(3.0, 1.25), seconds=0.0, **fields):
    """A moment of a run on batches, 23 to the epoch, of 40 epochs."""
    value = np.array(values)
    optimality, rate = np.full(len(value), np.nan), np.full(len(value), 1e-3)
    trace = Trace(value, optimality, value, rate, tw.Evals(), value)
    plain = {"step": step, "epoch": step / 23, "x": None, "solver": None, "whole": False, "first_row": 0}
    plain |= {"trace": trace, "validation": {}, "validations": None, "seconds": seconds, "length": 920.0}
    return tw.Event(**plain | {"steps_per_epoch": 23.0, "final": False} | fields)


class Recorded:
    """Rich's bar in a terminal of a given width, remembering what it was asked to show."""

    task_ids = (0,)

    def __init__(self, width=200):
        self.width, self.updates, self.started, self.stopped = width, [], 0, 0
        self.console = self

    def start(self):
        self.started += 1

    def add_task(self, name, **fields):
        self.updates.append(fields)

    def update(self, task, **fields):
        self.updates.append(fields)

    def stop(self):
        self.stopped += 1


@pytest.fixture
def bar(monkeypatch):
    recorded = Recorded()
    monkeypatch.setattr(progress, "new_bar", lambda: recorded)
    return recorded


def watched(events, bar):
    """The texts beside the bar."""
    watch = Progress(terminal=True)
    watch.open()
    for one in events:
        watch(one)
    watch.close()
    return [update["text"] for update in bar.updates]


def test_the_numbers_beside_the_bar_on_batches(bar):
    held_out = {"validation_accuracy": 0.975, "validation_value": 0.5}
    _, text = watched([event(46, validation=held_out)], bar)
    assert text == "step 46  epoch 2/40  mean value 2.125  validation 0.5  accuracy 0.975  step size 0.001"


def test_the_numbers_beside_the_bar_on_whole_data(bar):
    whole = event(7, whole=True, epoch=7.0, steps_per_epoch=1.0)
    whole = whole._replace(trace=whole.trace._replace(optimality=np.array([0.7, 0.5])))
    assert watched([whole], bar)[1] == "step 7/920  value 1.25  optimality 0.5  step size 0.001"


def test_the_mean_skips_what_was_lost_and_stays_at_the_end(bar):
    texts = watched([event(4, (1.0, np.nan, 3.0)), event(4, (), 0.4, final=True)], bar)
    assert [text.split("  ")[2] for text in texts[1:]] == ["mean value 2", "mean value 2"]


def test_pace_and_time_left_come_with_the_second_look(bar):
    texts = watched([event(20, seconds=9.0), event(120, seconds=10.0), event(220, seconds=11.0)], bar)
    assert "steps/s" not in texts[1] and "left" not in texts[1], "compiling is no pace"
    assert texts[3].endswith("0:07 left  step size 0.001  100 steps/s")


def test_the_pace_is_smoothed():
    pace = Pace()
    for step, seconds in ((0, 0.0), (100, 1.0), (300, 2.0)):
        pace.learn(event(step, seconds=seconds))
    assert pace.rate == pytest.approx(0.7 * 100 + 0.3 * 200)


def test_without_a_limit_there_is_no_end_to_show(bar):
    texts = watched([event(s, seconds=s, epoch=None, length=None, steps_per_epoch=None) for s in (5, 9)], bar)
    assert texts[2].startswith("step 9  mean") and "left" not in texts[2]
    assert bar.updates[2]["total"] is None


def test_it_changes_at_most_ten_times_a_second_with_all_rows_since(bar):
    watch, rows = Progress(terminal=True), []

    class Wrapped:
        """The bar, and what it is called with."""

        every, open, close = watch.every, watch.open, watch.close

        def __call__(self, moment):
            rows.append((moment.seconds, moment.first_row, len(moment.trace.value)))
            watch(moment)

    result = tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(3000), callbacks=[Wrapped()], chunk=1)
    seconds, firsts, counts = zip(*rows, strict=True)
    assert 2 <= len(rows) < min(10 * (seconds[-1] - seconds[0]) + 4, 1000)
    assert [firsts[0], *np.cumsum(counts)[:-1]] == list(firsts) and sum(counts) == len(result.trace.value)
    assert bar.updates[0] == {"total": None, "text": "compiling"}
    assert bar.updates[-1]["completed"] == bar.updates[-1]["total"] == 3000
    assert len(bar.updates) == 1 + len(rows)
    assert (bar.started, bar.stopped) == (1, 1)


@pytest.mark.parametrize(("width", "text"), [(100, "step 7  value 1  left"), (36, "step 7  value 1"), (5, "step 7")])
def test_what_there_is_no_room_for_is_left_out(width, text):
    assert fit(iter(["step 7", "value 1", "left" if width > 50 else "x" * 20]), width) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:01"), (754, "12:34"), (7384, "2:03:04"), (0, "0:00")])
def test_the_time_left(seconds, text):
    assert clock(seconds) == text


def test_it_is_there_while_the_program_is_compiled_and_gone_whatever_happens(bar):
    shown = []

    def broken(event):
        shown.extend(update["text"] for update in bar.updates)
        raise KeyError

    with pytest.raises(KeyError):
        tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(8), callbacks=[broken, Progress(terminal=True)])
    assert shown == ["compiling"]
    assert (bar.started, bar.stopped) == (1, 1)


def test_a_terminal_that_goes_away_takes_only_the_bar_with_it(bar):
    bar.update = lambda *task, **fields: (_ for _ in ()).throw(OSError(5, "Input/output error"))
    watch = Progress(terminal=True)
    result = tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(8), callbacks=[watch])
    assert result.steps == 8 and not watch.terminal


def test_without_a_terminal_nothing_is_opened(bar, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(3), callbacks=[Progress()])
    assert bar.updates == []


def test_without_rich_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ImportError, match=r'pip install "thalweg\[cli\]"'):
        tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(3), callbacks=[Progress(terminal=True)])


def test_it_knows_the_length_of_the_run_and_the_latest_validation(bar):
    x = np.linspace(-1.0, 1.0, 12)
    data = (x, 2.0 * x)
    problem = tw.Problem(lambda p, b: jnp.mean((p * b[0] - b[1]) ** 2), data, validation=data)
    tw.minimize(
        problem, np.asarray(0.0), tw.SGD(0.1), batch_size=4, stop=tw.Epochs(5), callbacks=[Progress(terminal=True)]
    )
    assert bar.updates[1]["total"] == 15
    assert bar.updates[-1]["text"].startswith("step 15  epoch 5/5  mean value")
    assert "validation" in bar.updates[-1]["text"]
