"""The strong-Wolfe search: its two conditions, and an honest answer where they cannot be had."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, X64, tol
from tests.line_search import rays
from tests.line_search.rays import fell, find, find_unmeasured, is_flat, start

SEARCH = tw.line_search.StrongWolfe()
TIGHT = tw.line_search.StrongWolfe(1e-3, 0.1)
FUNCTIONS = {
    "more-thuente-1": (rays.more_thuente_1, 0.0),
    "more-thuente-2": (rays.more_thuente_2, 0.0),
    "more-thuente-3": (rays.more_thuente_3, 0.0),
    "more-thuente-4": (rays.yanai, (1e-3, 1e-3)),
    "more-thuente-5": (rays.yanai, (1e-2, 1e-3)),
    "more-thuente-6": (rays.yanai, (1e-3, 1e-2)),
}


@pytest.mark.skipif(not X64, reason="the waves of function 3 are below float32's rounding")
@pytest.mark.parametrize(("fun", "parameters"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_standard_functions_from_all_starts(fun, parameters):
    at_0 = start(fun, parameters)
    for search in (SEARCH, TIGHT):
        for step0 in (1e-3, 0.1, 10.0, 1e3):
            found = find(search, fun, step0, parameters)
            assert found.ok
            assert not found.unbounded
            assert fell(found, at_0, search.slope)
            assert is_flat(found, at_0, search.curvature), f"from {step0}"
            assert found.count <= 20


@given(a=st.floats(1e-6, 1e6), c=st.floats(1e-6, 1e6), step0=st.floats(1e-4, 1e4))
def test_parabolas_of_every_scale(a, c, step0):
    parameters = (a, c, 0.0)
    at_0 = start(rays.parabola, parameters)
    found = find(SEARCH, rays.parabola, step0, parameters)
    assert found.ok
    assert not found.unbounded
    assert fell(found, at_0, SEARCH.slope)
    assert is_flat(found, at_0, SEARCH.curvature)


def test_a_good_first_step_is_taken_at_once():
    found = find(SEARCH, rays.parabola, 1.0, (0.9, 3.0, 0.0))
    assert (found.step, found.count) == (1.0, 1)


def test_the_cubic_finds_a_parabolas_minimum():
    """Bracketed by the first trial, the second is the minimum itself."""
    found = find(TIGHT, rays.parabola, 4.0, (1.0, 2.0, 0.0))
    assert found.count == 2
    assert found.step == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("fun", [rays.nan_wall, rays.infinite_wall])
@pytest.mark.parametrize("wall", [2.0, 0.7, 1e-3, tol(1e-8, 1e-4)])
def test_walls_are_backed_away_from(fun, wall):
    found = find(SEARCH, fun, 3.0, wall)
    assert found.ok
    assert not found.unbounded
    assert 0 < found.step < wall
    assert np.isfinite(found.phi.value)
    assert fell(found, start(fun, wall), SEARCH.slope)
    # Where the minimum lies inside, the slope is flat too; else no flat step exists and the way is used.
    assert is_flat(found, start(fun, wall), SEARCH.curvature) or found.step > 0.2 * wall


@pytest.mark.parametrize("wall", [100.0, 0.5])
def test_a_barrier_has_its_minimum_inside(wall):
    found = find(TIGHT, rays.log_wall, 1.0, wall)
    assert is_flat(found, start(rays.log_wall, wall), TIGHT.curvature)
    assert found.step < wall


@pytest.mark.parametrize(("fun", "parameters"), [(rays.downhill, 1.0), (rays.downhill, 2.0), (rays.exponential, 0.0)])
def test_unbounded_is_said(fun, parameters):
    found = find_unmeasured(SEARCH, fun, 1.0, parameters)
    assert found.unbounded
    assert found.step > 0


def test_a_search_that_is_cut_short_is_not_unbounded():
    found = find(tw.line_search.StrongWolfe(max_trials=3), rays.parabola, 1.0, (1e5, 1.0, 0.0))
    assert found.ok
    assert not found.unbounded
    assert (found.step, found.count) == (100.0, 3)


def test_the_best_step_so_far_is_taken():
    """One trial, not flat: it is taken nevertheless. One trial, too far: none is."""
    once = tw.line_search.StrongWolfe(curvature=1e-3, max_trials=1)
    assert find(once, rays.parabola, 0.5, (1.0, 1.0, 0.0)).ok
    failed = find(once, rays.parabola, 5.0, (1.0, 1.0, 0.0))
    assert not failed.ok
    assert (failed.step, failed.phi.value) == (0.0, 0.5)


@pytest.mark.parametrize("offset", [1e8, -1e8])
def test_below_rounding_the_slope_decides(offset):
    """The fall, 5e-10, is lost in a value of 1e8; a flat step is found all the same."""
    parameters = (1.0, 1e-9 if X64 else 1e-2, offset)
    for step0 in (0.1, 1.0, 1.9):
        found = find(TIGHT, rays.parabola, step0, parameters)
        assert found.ok
        assert is_flat(found, start(rays.parabola, parameters), TIGHT.curvature)


def test_a_wrong_gradient_is_a_failure():
    found = find_unmeasured(SEARCH, rays.misled)
    assert not found.ok
    assert found.step <= 10 * EPS
    assert found.phi.value <= 1 + 10 * EPS


def test_steep_and_shallow():
    """From slopes of 1e-8 and 1e8 alike."""
    for curvature in (1e-8, 1e8):
        found = find(SEARCH, rays.parabola, 1.0, (1.0, curvature, 0.0))
        assert (found.step, found.count) == (1.0, 1)
    found = find(SEARCH, rays.parabola, 1.0, (1e-8, 1e16 if X64 else 1e8, 0.0))
    assert found.step == pytest.approx(1e-8, rel=0.9)


BAD = {
    "slope 0": ({"slope": 0.0}, "slope=0.0.*in \\(0, 1/2\\)"),
    "slope 1/2": ({"slope": 0.5}, "slope=0.5"),
    "curvature 1": ({"curvature": 1.0}, "curvature=1.0"),
    "order": ({"slope": 0.3, "curvature": 0.2}, "curvature=0.2.*in \\(slope=0.3, 1\\)"),
    "trials": ({"max_trials": 0}, "max_trials=0.*whole number >= 1"),
    "fraction": ({"max_trials": 2.5}, "max_trials=2.5"),
    "nan": ({"slope": float("nan")}, "slope=nan"),
    "array": ({"slope": np.asarray([0.1, 0.6])}, "slope"),
}


@pytest.mark.parametrize(("numbers", "message"), BAD.values(), ids=BAD)
def test_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        tw.line_search.StrongWolfe(**numbers)
