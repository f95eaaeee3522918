"""Figures of runs: what they show, and that no numbers break them."""

import io
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import thalweg as tw
from thalweg import plot
from thalweg.plot.style import MAX_DRAWN_POINTS, thin_out


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def finished():
    """A run with data, validation and a metric."""
    features = np.random.default_rng(0).normal(size=(20, 2))
    data = (features, features @ np.ones(2))

    def loss(x, batch):
        return jnp.mean((batch[0] @ x - batch[1]) ** 2)

    def metrics(x, batch):
        return {"largest": jnp.abs(batch[0] @ x - batch[1]).max()}

    problem = tw.Problem(loss, data, validation=data, metrics=metrics)
    return tw.minimize(problem, np.zeros(2), tw.Adam(0.1), stop=tw.Steps(30), validate_every=5)


def with_values(result, values, optimality=None):
    """A copy of a result without validation and with other numbers in its trace."""
    copy = object.__new__(tw.Result)
    copy.__dict__.update(result.__dict__)
    values = np.asarray(values, float)
    copy.trace = result.trace._replace(
        value=values, optimality=values if optimality is None else np.asarray(optimality, float)
    )
    copy.validation = None
    return copy


def drawn(figure):
    """Renders it, which is where Matplotlib's errors and warnings are."""
    figure.savefig(io.BytesIO(), format="png")
    return figure.axes


def test_a_panel_for_everything_measured_with_a_name_on_every_axis(finished):
    axes = drawn(plot.history(finished, unit="m2"))
    names = ["value (m2)", "optimality (largest entry)", "validation value (m2)", "validation largest"]
    assert [a.get_ylabel() for a in axes] == names
    assert {a.get_xlabel() for a in axes} == {"step"}
    assert axes[0].get_yscale() == "log"
    np.testing.assert_array_equal(axes[0].lines[0].get_xdata(), np.arange(31))
    np.testing.assert_array_equal(axes[2].lines[0].get_xdata(), finished.validation.step)


def test_a_figure_is_made_as_large_as_its_panels_need(finished):
    given = plot.history(finished, figure=Figure(figsize=(1, 1)))
    assert given.get_size_inches().tolist() == plot.history(finished).get_size_inches().tolist()
    assert given.get_size_inches()[0] > 6


def test_the_distance_from_a_known_minimum(finished):
    run = with_values(finished, [-1.0, -1.99, -2.0 - 1e-9])
    (axes, _) = drawn(plot.history(run, minimum=-2.0))
    assert axes.get_ylabel() == "value + 2"
    assert axes.get_yscale() == "log"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [1.0, 0.01, 0.0], atol=1e-12)
    assert "0 from 2 on" in [text.get_text() for text in axes.texts], "a logarithmic axis has no zero"


def test_infeasible_points_are_on_either_side_of_the_minimum(finished):
    run = with_values(finished, [3.0, 0.5, 1.01, 1.0])
    run.trace = run.trace._replace(infeasibility=np.array([0.1, 0.5, 1e-3, 0.0]))
    value, violation, _ = drawn(plot.history(run, minimum=1.0))
    assert value.get_ylabel() == "|value - 1|"
    np.testing.assert_allclose(value.lines[0].get_ydata(), [2.0, 0.5, 0.01, 0.0], atol=1e-12)
    assert violation.get_ylabel() == "infeasibility (largest violation)"


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([3.0, 2.0, -1.0], "linear"),
        ([300.0, np.nan, 2.0], "log"),
        ([], "linear"),
        *(
            pytest.param(values, scale, marks=pytest.mark.thorough)
            for values, scale in [
                ([3.0, 2.9, 2.8], "linear"),
                ([300.0, 2.9, 0.0], "log"),
                ([300.0, 2.0, np.inf], "log"),
                ([5.0], "linear"),
                ([0.0], "linear"),
                ([np.nan, np.nan], "linear"),
                ([-np.inf], "linear"),
                ([1e308, 1e100, 1e-100, 1e-308], "log"),
            ]
        ),
    ],
)
def test_any_numbers_can_be_drawn(finished, values, scale):
    axes = drawn(plot.history(with_values(finished, values)))
    assert axes[0].get_yscale() == scale


def test_what_was_not_measured_has_no_panel(finished):
    axes = drawn(plot.history(with_values(finished, [3.0, 1.0], [np.nan, np.nan])))
    assert [a.get_ylabel() for a in axes] == ["value"]


def test_the_first_number_that_is_lost_is_marked(finished):
    axes = drawn(plot.history(with_values(finished, [1.0, 30.0, np.nan])))[0]
    assert "nan at 2" in [text.get_text() for text in axes.texts]


def test_a_million_points_are_thinned_to_their_outline(finished):
    values = np.random.default_rng(0).uniform(1, 2, 1_000_000)
    values[123_456], values[654_321], values[777_777] = 50.0, 1e-3, np.nan
    axes = drawn(plot.history(with_values(finished, values)))[0]
    x, y = axes.lines[0].get_data()
    assert len(x) <= 1.1 * MAX_DRAWN_POINTS
    assert x[0] == 0
    assert x[-1] == 999_999
    assert np.nanmax(y) == 50.0
    assert np.nanmin(y) == 1e-3


def test_thinning_keeps_short_lines_and_the_order():
    x = np.arange(10)
    assert thin_out(x, x)[0] is x
    x, y = thin_out(np.arange(10_007), np.sin(np.arange(10_007.0)), 100)
    assert len(x) <= 110
    assert (np.diff(x) > 0).all()
    np.testing.assert_array_equal(y, np.sin(x))


@pytest.mark.thorough
def test_a_given_figure_needs_no_window_system(finished, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    figure = Figure(layout="constrained")
    assert plot.history(finished, figure=figure) is figure
    assert len(drawn(figure)) == 4


def test_without_matplotlib_one_sentence_says_what_to_install(finished, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'tw.plot needs matplotlib: pip install "thalweg\[plot\]"'):
        tw.plot.history(finished)


def test_one_panel_on_the_users_axes(finished):
    _, axes = plt.subplots()
    assert plot.value_curve(finished, axes) is axes
    assert plot.metric_curve(finished, "largest").get_ylabel() == "validation largest"


@pytest.mark.thorough
def test_level_lines_and_a_path():
    known = tw.problems.rosenbrock()
    axes = plot.contours(known.problem, (-2, -1), (2, 3))
    plot.trajectory([[-1.2, 1.0], [0.0, 0.0], [1.0, 1.0]], axes, label="way")
    drawn(axes.figure)
    assert axes.get_xlim() == (-2, 2)
    assert axes.lines[0].get_label() == "way"
