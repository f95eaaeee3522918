"""Searches that know a step: fixed, 1/L, exact, Barzilai and Borwein's, Polyak's; and the parabola of backtracking."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import EPS, X64, sampled, tol
from tests.line_search import rays
from tests.line_search.rays import find, find_unmeasured, start
from tests.line_search.test_strong_wolfe import FUNCTIONS
from thalweg.problems import ZOO, quadratic

KNOWING = (
    tw.line_search.FixedStep(1.0),
    tw.line_search.InverseLipschitz(),
    tw.line_search.ExactSearch(),
    tw.line_search.BarzilaiBorwein(),
    tw.line_search.PolyakStep(0.0),
)


def bowl(x):
    """Curvatures 1 and 10."""
    return 0.5 * (x[0] ** 2 + 10 * x[1] ** 2)


def points(method, steps: int, fun=bowl, x0=(1.0, 1.0)) -> tw.Result:
    """A run of so many steps."""
    return tw.minimize(fun, np.asarray(x0), method, stop=tw.Steps(steps), on_failure="ignore")


def test_a_parabola_shortens_a_step_at_once():
    """From 8 to the minimum at 1 in one trial, where halving takes the first that is below 2."""
    found = find(tw.line_search.Backtracking(interpolate=True), rays.parabola, 8.0, (1.0, 2.0, 0.0))
    assert (int(found.count), float(found.step)) == (2, pytest.approx(1.0))
    assert find(tw.line_search.Backtracking(0.4), rays.parabola, 8.0, (1.0, 2.0, 0.0)).count == 4
    far = find(tw.line_search.Backtracking(interpolate=True), rays.parabola, 80.0, (1.0, 2.0, 0.0))
    assert far.step == pytest.approx(1.0), "by way of 8: no further than a tenth at once"
    wall = find(tw.line_search.Backtracking(interpolate=True), rays.nan_wall, 3.0, 2.0)
    assert (bool(wall.ok), float(wall.step)) == (True, 1.5)


@pytest.mark.parametrize("search", KNOWING, ids=lambda search: type(search).__name__)
def test_a_wrong_gradient_raises_no_value_unnoticed(search):
    """Searches that look at values fail; the two that do not say so and take the step."""
    found = find_unmeasured(search, rays.misled)
    blind = isinstance(search, (tw.line_search.FixedStep, tw.line_search.PolyakStep))
    assert found.step == 1 if blind else not found.ok or found.phi.value <= 1 + 10 * EPS


@pytest.mark.thorough
@pytest.mark.parametrize("search", KNOWING, ids=lambda search: type(search).__name__)
def test_what_is_not_defined_is_not_stepped_into(search):
    found = find_unmeasured(search, rays.nan_wall, 1.0, 0.2)
    assert not found.ok or (found.step < 0.2 and np.isfinite(found.phi.value))
    assert found.ok != isinstance(search, (tw.line_search.FixedStep, tw.line_search.PolyakStep))


def test_a_fixed_step_ends_at_two_over_l():
    """Strictly below 2/L the value falls, at 2/L a quadratic oscillates without end."""
    values = points(tw.SteepestDescent(tw.line_search.FixedStep(0.199)), 30).trace.value
    assert np.all(np.diff(values) < 0)
    ends = points(tw.SteepestDescent(tw.line_search.FixedStep(0.2)), 31, x0=(0.0, 1.0))
    assert abs(ends.x[1]) == pytest.approx(1.0, rel=1e3 * EPS)
    assert points(tw.SteepestDescent(tw.line_search.FixedStep(0.21)), 30, x0=(0.0, 1.0)).value > 5


def test_a_fixed_step_is_gradient_descent():
    beside = points(tw.SGD(0.1), 12)
    np.testing.assert_allclose(
        points(tw.SteepestDescent(tw.line_search.FixedStep(0.1)), 12).x, beside.x, rtol=100 * EPS
    )


def test_the_estimate_follows_the_largest_curvature_met():
    """Never more than twice L; after a while the curvature along the step itself."""
    trace = points(tw.SteepestDescent(tw.line_search.InverseLipschitz()), 60).trace
    estimates = 1 / trace.step_size[:60]
    assert np.all(estimates <= 2 * 10 * (1 + 10 * EPS))
    assert np.all(np.diff(trace.value[:40]) < 0)
    assert trace.evals.value[1:60].mean() < 1.4
    small = points(tw.SteepestDescent(tw.line_search.InverseLipschitz(0.5)), 60, lambda x: 1e-6 * bowl(x)).trace
    assert 1 / small.step_size[59] < 2.1e-5, "it shrinks where the function is flatter than thought"


def test_the_estimate_is_local():
    """Of x^4 in the large and in the small: 12 x^2."""
    trace = points(
        tw.SteepestDescent(tw.line_search.InverseLipschitz(shrink=0.5)), 40, lambda x: jnp.sum(x**4), (10.0,)
    ).trace
    assert trace.step_size[0] < 1 / 300
    assert trace.step_size[39] > 1


def test_exact_is_exact_on_a_parabola_and_costs_one_evaluation():
    for a, c in ((1.0, 2.0), (1e5, 1e-3), (1e-4, 1e3)):
        found = find(tw.line_search.ExactSearch(), rays.parabola, 1.0, (a, c, 0.0))
        assert (int(found.count), int(found.hvps)) == (1, 1)
        assert found.step == pytest.approx(a, rel=100 * EPS)


@pytest.mark.skipif(not X64, reason="the waves of function 3 are below float32's rounding")
@pytest.mark.parametrize(("fun", "parameters"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_exact_elsewhere(fun, parameters):
    """Functions whose second derivative at 0 is negative, or says little of the minimum."""
    found = find(tw.line_search.ExactSearch(1e-4), fun, 1.0, parameters)
    assert found.ok
    assert abs(found.phi.slope) <= 1e-4 * abs(start(fun, parameters)[1])
    assert found.count <= 30


def test_exact_with_an_offset():
    """The minimum's value is lost in rounding, the slope finds it."""
    found = find(tw.line_search.ExactSearch(), rays.parabola, 5.0, (1.0, 1e-9 if X64 else 1e-2, 1e8))
    assert found.ok
    assert found.step == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("formula", sampled(["long", "short", "alternate"], ["alternate"]))
def test_the_step_is_the_inverse_curvature_of_the_last_one(formula):
    trace = points(tw.BarzilaiBorweinDescent(formula), 6, x0=(2.0, 0.5)).trace
    assert trace.step_size[0] == pytest.approx(1 / 5), "the first step has 1 as its largest entry"
    a, x, steps = np.array([1.0, 10.0]), np.array([2.0, 0.5]), trace.step_size
    for t in range(5):
        dx = -steps[t] * a * x
        x = x + dx
        long, short = dx @ dx / (dx @ (a * dx)), dx @ (a * dx) / ((a * dx) @ (a * dx))
        expected = {"long": long, "short": short, "alternate": (long, short)[t % 2]}[formula]
        halved = np.log2(expected / steps[t + 1])
        assert halved > -0.1 and halved == pytest.approx(round(halved), abs=tol(1e-9, 1e-2))


@pytest.mark.parametrize("memory", sampled([1, 10], [10]))
def test_values_may_rise_but_not_above_the_largest_of_the_last(memory):
    known = quadratic(condition=1e3)
    value = points(tw.BarzilaiBorweinDescent(memory=memory), 60, known.problem, known.x0).trace.value[:60]
    assert np.any(np.diff(value) > 0) == (memory > 1)
    assert all(value[t] <= value[max(t - memory, 0) : t].max() for t in range(1, 60))


def test_one_step_where_all_curvatures_are_one():
    """Polyak's step with twice the scale, and Barzilai and Borwein's second, end at the minimum of |x|^2 / 2."""
    x0, half = (3.0, -4.0), lambda x: 0.5 * jnp.sum(x**2)
    assert points(tw.BarzilaiBorweinDescent(), 2, half, x0).value <= 100 * EPS
    one = points(tw.PolyakDescent(0.0), 1, half, x0)
    np.testing.assert_allclose(one.x, [1.5, -2.0], rtol=10 * EPS)
    assert one.evals.value == 3, "start, step, and the look at the last point"


@pytest.mark.parametrize("problem", sampled(["quadratic", "least-squares", "logistic"], ["quadratic"]))
def test_a_level_stands_for_an_unknown_minimum(problem):
    known = ZOO[problem]()
    stop = tw.GradNorm(tol(1e-6, 3e-4)) | tw.Steps(1000)
    assert tw.minimize(known.problem, known.x0, tw.PolyakDescent(), stop=stop).status == tw.Status.CONVERGED


def test_steps_do_not_depend_on_the_direction_s_length():
    """A search along another multiple of the negative gradient goes to the same point."""
    searches = (
        tw.line_search.ExactSearch(),
        tw.line_search.BarzilaiBorwein(),
        tw.line_search.PolyakStep(0.0),
        tw.line_search.PolyakStep(),
    )

    @jax.jit
    def steps():
        one, three = rays.ray(lambda t: (1 - t) ** 2 + 1.0), rays.ray(lambda t: (1 - 3 * t) ** 2 + 1.0)
        seen = one.start.seen
        alike = [r._replace(start=r.start._replace(seen=seen)) for r in (one, three)]
        return [[search(r, search.init(seen)).step for r in alike] for search in searches]

    for once, thrice in steps():
        assert float(once) == pytest.approx(3 * float(thrice), rel=10 * EPS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tw.line_search.FixedStep(0.0), "step_size=0.0.*> 0"),
        (lambda: tw.line_search.InverseLipschitz(shrink=1.1), "shrink=1.1.*in \\(0, 1\\]"),
        (lambda: tw.line_search.InverseLipschitz(growth=1.0), "growth=1.0"),
        (lambda: tw.line_search.ExactSearch(1.0), "tolerance=1.0"),
        (lambda: tw.line_search.BarzilaiBorwein("bb1"), "formula='bb1'.*'long', 'short', 'alternate'"),
        (lambda: tw.line_search.BarzilaiBorwein(memory=0), "memory=0"),
        (lambda: tw.line_search.BarzilaiBorwein(step_size=-1), "step_size=-1.0"),
        (lambda: tw.line_search.PolyakStep("0"), "minimum='0'.*finite number, or None"),
        (lambda: tw.line_search.PolyakStep(float("nan")), "minimum=nan"),
        (lambda: tw.line_search.PolyakStep(0.0, 2.0), "scale=2.0.*in \\(0, 2\\)"),
        (lambda: tw.line_search.PolyakStep(growth=0.9), "growth=0.9"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
