"""Profiles: every step at the height and the place that the definitions say, counted by hand."""

import matplotlib as mpl
import numpy as np
import pytest

import thalweg as tw

mpl.use("agg")
WORK = {"a": [10, 20, np.inf, 5], "b": [20, 10, 40, np.nan]}


@pytest.fixture(autouse=True)
def closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def heights(axes, at):
    """The fraction that each curve has reached at `at`."""
    out = []
    for curve in axes.lines:
        x, y = curve.get_data()
        out.append(float(y[np.searchsorted(x, at, side="right") - 1]))
    return out


def test_performance_profile_counts_the_problems_within_a_factor_of_the_best():
    axes = tw.plot.performance_profile(WORK)
    assert heights(axes, 1.0) == [0.5, 0.5]
    assert heights(axes, 1.99) == [0.5, 0.5]
    assert heights(axes, 2.0) == [0.75, 0.75]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a (3 of 4)", "b (3 of 4)"]
    assert (axes.get_xscale(), axes.get_ylabel()) == ("log", "fraction of problems solved")
    assert "evaluations" in axes.get_xlabel()


def test_data_profile_counts_the_problems_within_a_budget():
    axes = tw.plot.data_profile(WORK, [1, 4, 9, 4])
    assert heights(axes, 1.0) == [0.25, 0.0]
    assert heights(axes, 2.0) == [0.25, 0.25]
    assert heights(axes, 4.0) == [0.5, 0.5]
    assert heights(axes, 10.0) == [0.75, 0.75]


def test_a_problem_that_nobody_solves_counts_against_all():
    axes = tw.plot.performance_profile({"a": [np.inf, 3], "b": [np.nan, 6]})
    assert heights(axes, 100) == [0.5, 0.5]
    tw.plot.performance_profile({"a": [np.inf]})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tw.plot.performance_profile({}), "work is empty"),
        (lambda: tw.plot.performance_profile({"a": [1, 2], "b": [1]}), "one number a problem"),
        (lambda: tw.plot.performance_profile({"a": [0, 2]}), "not positive"),
        (lambda: tw.plot.data_profile({"a": [1, 2]}, [3]), "for each of 2 problems"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_long_legend_stands_beside_the_picture():
    few = tw.plot.performance_profile({str(i): [1, 2 + i] for i in range(6)})
    many = tw.plot.performance_profile({str(i): [1, 2 + i] for i in range(7)})
    for axes, beside in ((few, False), (many, True)):
        axes.figure.canvas.draw()
        left = axes.get_legend().get_window_extent().x0
        assert (left >= axes.get_window_extent().x1) == beside
