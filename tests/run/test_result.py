"""The summary of a run: which lines it has, and how numbers and times are put."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.run.result import duration, plural, spread


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


def sink(x):
    """Ends at once: its value is NaN."""
    return (x**2).sum() * np.nan


def square(x):
    """A bowl."""
    return (x**2).sum()


def test_warnings_point_at_the_line_that_called():
    problem, method = tw.Problem(square, bounds=tw.Bounds(0.0, 1.0)), tw.SGD(0.5)
    calls = (
        lambda: tw.minimize(sink, np.ones(2), method),
        lambda: tw.minimize(problem, np.full(2, 3.0), tw.ProjectedGradient()),
        lambda: tw.minimize(square, np.ones(2), method, stop=tw.GradNorm(1e-30)),
        lambda: tw.minimize_batch(sink, np.ones((2, 2)), method),
    )
    for call in calls:
        with pytest.warns(tw.MinimizeWarning) as caught:
            call()
        assert {warning.filename for warning in caught} == {__file__}
