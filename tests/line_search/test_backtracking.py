"""Backtracking: the first step of its sequence that falls enough, or none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, X64
from tests.line_search import rays
from tests.line_search.rays import fell, find, find_unmeasured, start, value_and_slope
from tests.line_search.test_strong_wolfe import FUNCTIONS

SEARCH = tw.line_search.Backtracking()
STRICT = tw.line_search.Backtracking(0.4, decrease=0.7)


def is_first(found, fun, step0: float, search: tw.line_search.Backtracking, parameters) -> bool:
    """No longer step of the sequence falls enough."""
    value, slope = start(fun, parameters)
    longer = [step0 * search.decrease**i for i in range(int(found.count) - 1)]
    values = [value_and_slope(fun, t, parameters)[0] for t in longer]
    return not any(v <= value + search.slope * t * slope for v, t in zip(values, longer, strict=True))


@pytest.mark.thorough
@pytest.mark.skipif(not X64, reason="the first falls are below float32's rounding")
@pytest.mark.parametrize(("fun", "parameters"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_standard_functions(fun, parameters):
    for search in (SEARCH, STRICT):
        for step0 in (0.1, 10.0, 1e3):
            found = find(search, fun, step0, parameters)
            assert found.ok
            assert found.step == pytest.approx(step0 * search.decrease ** (int(found.count) - 1), rel=100 * EPS)
            assert fell(found, start(fun, parameters), search.slope)
            assert is_first(found, fun, step0, search, parameters)


@given(a=st.floats(1e-6, 1e6), c=st.floats(1e-3, 1e3), step0=st.floats(1e-2, 1e2))
def test_parabolas(a, c, step0):
    parameters = (a, c, 0.0)
    found = find(STRICT, rays.parabola, step0, parameters)
    assert found.ok
    assert fell(found, start(rays.parabola, parameters), STRICT.slope)


@pytest.mark.parametrize("fun", [rays.nan_wall, rays.infinite_wall])
@pytest.mark.parametrize("wall", [2.0, 0.3, 1e-9])
def test_walls(fun, wall):
    found = find(SEARCH, fun, 3.0, wall)
    assert found.ok
    assert wall / 2 * (1 - EPS) <= found.step < wall
    assert np.isfinite(found.phi.value)


def test_failure_is_said_after_the_last_trial():
    found = find_unmeasured(tw.line_search.Backtracking(max_trials=7), rays.misled)
    assert (bool(found.ok), int(found.count)) == (False, 7)


def test_below_rounding_the_slope_decides():
    parameters = (1.0, 1e-9 if X64 else 1e-2, 1e8)
    found = find(SEARCH, rays.parabola, 1.0, parameters)
    assert (bool(found.ok), float(found.step)) == (True, 1.0)
    far = find(SEARCH, rays.parabola, 8.0, parameters)
    assert far.step < 2, "beyond twice the minimum the slope has turned"


def test_a_ray_without_end_is_one_step():
    found = find(SEARCH, rays.downhill, 1.0, 1.0)
    assert (float(found.step), int(found.count), bool(found.unbounded)) == (1.0, 1, False)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"slope": 0.5}, "slope=0.5.*in \\(0, 1/2\\)"),
        ({"slope": -0.1}, "slope=-0.1"),
        ({"decrease": 1.0}, "decrease=1.0.*in \\(0, 1\\)"),
        ({"decrease": 0.0}, "decrease=0.0"),
        ({"max_trials": 0}, "max_trials=0"),
    ],
)
def test_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        tw.line_search.Backtracking(**numbers)
