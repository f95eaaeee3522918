"""The search of Hager and Zhang: Wolfe's conditions or the approximate ones, in float64 and float32."""

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, X64, tol
from tests.line_search import rays
from tests.line_search.rays import find, find_unmeasured, start
from tests.line_search.test_strong_wolfe import FUNCTIONS

SEARCH = tw.line_search.HagerZhang()
TIGHT = tw.line_search.HagerZhang(1e-3, 0.1)


def accepted(found, at_0, search: tw.line_search.HagerZhang) -> bool:
    """Wolfe's conditions, or the approximate ones."""
    (value, slope), rise = at_0, 4 * EPS * abs(at_0[0])
    fell = found.phi.value - value <= search.slope * found.step * slope + EPS * abs(value)
    by_slope = found.phi.slope <= (2 * search.slope - 1) * slope and found.phi.value <= value + rise
    return found.phi.slope >= search.curvature * slope and (fell or by_slope)


@pytest.mark.parametrize(("fun", "parameters"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_standard_functions_from_all_starts(fun, parameters):
    """In both precisions; in float32 the slopes where it ends are not measured alike by two programs."""
    at_0 = start(fun, parameters)
    for search in (SEARCH, TIGHT):
        for step0 in (1e-3, 0.1, 10.0, 1e3):
            found = find_unmeasured(search, fun, step0, parameters)
            assert found.ok, f"from {step0}"
            assert not found.unbounded
            assert accepted(found, at_0, search), f"from {step0}"
            assert found.count <= 25


@given(a=st.floats(1e-6, 1e6), c=st.floats(1e-6, 1e6), step0=st.floats(1e-4, 1e4))
def test_parabolas_of_every_scale(a, c, step0):
    parameters = (a, c, 0.0)
    found = find(TIGHT, rays.parabola, step0, parameters)
    assert found.ok
    assert not found.unbounded
    assert accepted(found, start(rays.parabola, parameters), TIGHT)


def test_a_secant_finds_a_parabolas_minimum():
    """Bracketed by the first trial, the second is the minimum itself."""
    found = find(TIGHT, rays.parabola, 4.0, (1.0, 2.0, 0.0))
    assert found.count == 2
    assert found.step == pytest.approx(1.0, rel=10 * EPS)
    assert find(SEARCH, rays.parabola, 1.0, (0.9, 3.0, 0.0)).count == 1


@pytest.mark.parametrize("offset", [1e8, -1e8])
def test_below_rounding_the_slope_decides(offset):
    parameters = (1.0, 1e-9 if X64 else 1e-2, offset)
    for step0 in (0.1, 1.0, 1.9, 30.0):
        found = find(TIGHT, rays.parabola, step0, parameters)
        assert found.ok
        assert 0.9 <= found.step < 2


def test_an_offset_is_no_license_to_rise():
    """A limit of 1e-6 |f| would let the value rise from 1e8 by 100, beyond the hill at 3.9."""
    parameters = (1e8 if X64 else 1e2,)
    found = find(tw.line_search.HagerZhang(curvature=0.1), rays.hill, 4.0, parameters)
    assert found.ok
    assert found.phi.value < start(rays.hill, parameters)[0]


@pytest.mark.parametrize("fun", [rays.nan_wall, rays.infinite_wall])
@pytest.mark.parametrize("wall", [2.0, 0.7, 1e-3, tol(1e-8, 1e-4)])
def test_walls_are_backed_away_from(fun, wall):
    found = find(SEARCH, fun, 3.0, wall)
    assert found.ok
    assert 0 < found.step < wall
    assert found.phi.value < start(fun, wall)[0]


@pytest.mark.parametrize(("fun", "parameters"), [(rays.downhill, 1.0), (rays.downhill, 2.0), (rays.exponential, 0.0)])
def test_unbounded_is_said(fun, parameters):
    found = find_unmeasured(SEARCH, fun, 1.0, parameters)
    assert found.unbounded
    assert found.step > 0


def test_a_wrong_gradient_is_a_failure():
    found = find_unmeasured(SEARCH, rays.misled)
    assert not found.ok
    assert found.step <= 10 * EPS


def test_no_step_goes_beyond_the_end_of_the_ray():
    found = jax.jit(lambda end: rays.look(TIGHT, rays.ray(lambda t: (t - 5) ** 2)._replace(max_step=end)))(2.0)
    assert (float(found.step), bool(found.ok)) == (2.0, True)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"slope": 0.5}, "slope=0.5.*in \\(0, 1/2\\)"),
        ({"curvature": 0.05}, "curvature=0.05.*in \\[slope=0.1, 1\\)"),
        ({"bisection": 1.0}, "bisection=1.0"),
        ({"shrink": 0.0}, "shrink=0.0"),
        ({"expansion": 1.0}, "expansion=1.0.*> 1"),
        ({"max_trials": 0}, "max_trials=0"),
    ],
)
def test_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        tw.line_search.HagerZhang(**numbers)
