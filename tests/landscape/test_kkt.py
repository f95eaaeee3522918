"""The KKT report against multipliers worked out by hand, and the residual that the loop uses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls as scipy_nnls

import thalweg as tw
from tests.helpers import EPS, X64, sampled, tol, zoo
from thalweg.landscape.kkt import nnls

CLOSE = tol(1e-9, 1e-3)
DTYPE = jnp.result_type(float)

# By hand, or from the KKT system solved in double precision (hs71): lambda, mu, active bounds with their multipliers.
BY_HAND = {
    "hs6": ([0.0], [], {}),
    "hs7": ([1 / (2 * np.sqrt(3))], [], {}),  # -1 + 2 lambda x_2 = 0
    "hs21": ([], [0.0], {"x[0] lower": 0.04}),  # 0.02 x_1 = z
    "hs28": ([0.0], [], {}),
    "hs35": ([], [2 / 9], {}),  # -4 + 2 x_3 + 2 x_1 + 2 mu = 0
    "hs48": ([0.0, 0.0], [], {}),
    "hs71": ([0.16146856677], [0.55229366012], {"x[0] lower": 1.08787122867}),
}


def squares(x):
    return jnp.sum(x**2)


@pytest.mark.parametrize("case", sampled(BY_HAND, ["hs21", "hs35", "hs71"]))
def test_multipliers_by_hand(case):
    known, (lam, mu, bounds) = zoo(case), BY_HAND[case]
    report = tw.landscape.kkt(known.problem, np.asarray(known.argmin, DTYPE))
    assert report.ok(tol(1e-8, 1e-4))
    np.testing.assert_allclose(report.multipliers.equality, lam, atol=CLOSE)
    np.testing.assert_allclose(report.multipliers.inequality, mu, atol=CLOSE)
    assert {line.name for line in report.bounds} == set(bounds)
    for line in report.bounds:
        assert line.multiplier == pytest.approx(bounds[line.name], abs=CLOSE)
    assert report.independent
    assert report.strict
    assert report.sign == 0
    value = float(tw.optimality(known.problem, jnp.asarray(known.argmin, DTYPE)))
    assert value <= tol(1e-8, 1e-4), "the loop's own estimate agrees"


@pytest.mark.parametrize("case", ["hs35", "hs71"])
def test_a_point_that_is_not_stationary_is_not_ok(case):
    known = zoo(case)
    x = np.asarray(known.argmin, DTYPE) + 0.01
    report = tw.landscape.kkt(known.problem, x)
    assert not report.ok(1e-3)
    assert float(tw.optimality(known.problem, jnp.asarray(x))) > 1e-3


def test_the_table_says_everything():
    known = zoo("hs71")
    text = str(tw.landscape.kkt(known.problem, np.asarray(known.argmin, DTYPE)))
    for words in ("KKT residual", "stationarity", "feasibility", "complementarity", "independent", "strict"):
        assert words in text
    assert [line.split()[0] for line in text.splitlines()[-3:]] == ["equality", "inequality", "x[0]"]
    assert all("active" in line for line in text.splitlines()[-3:])


def test_multipliers_that_are_not_unique():
    """Three active inequalities of rank two and an idle equality: LICQ fails, the point is recognized all the same."""
    problem = tw.Problem(
        squares,
        equality=lambda x: jnp.zeros(2, x.dtype),
        inequality=lambda x: jnp.stack([1 - x[0], 2 - 2 * x[0], 1 - x[0] - x[1]]),
    )
    report = tw.landscape.kkt(problem, np.asarray([1.0, 0.0], DTYPE))
    assert report.ok(1e-6)
    assert (report.rank, report.count, report.independent) == (2, 5, False)
    assert not report.strict
    assert "not unique" in str(report)
    assert "multiplier 0" in str(report)
    mu = report.multipliers.inequality
    assert mu[0] + 2 * mu[1] + mu[2] == pytest.approx(2, abs=CLOSE)
    assert report.active == ("inequality[0]", "inequality[1]", "inequality[2]")


def test_a_multiplier_of_the_wrong_sign_is_no_kkt_point():
    """At (1, 0) the gradient pushes away from the wall x_1 <= 1 ... and into the wall x_1 >= 1."""
    x = np.asarray([1.0, 0.0], DTYPE)
    wrong = tw.landscape.kkt(tw.Problem(squares, inequality=lambda x: x[0] - 1), x)
    assert wrong.residual == pytest.approx(2)
    assert wrong.multipliers.inequality == [0]
    right = tw.landscape.kkt(tw.Problem(squares, inequality=lambda x: 1 - x[0]), x)
    assert right.residual == pytest.approx(0, abs=CLOSE)
    given = tw.landscape.kkt(tw.Problem(squares, inequality=lambda x: x[0] - 1), x, ((), [-2.0]))
    assert (given.stationarity, given.sign, given.residual) == (0, 2, 2)
    assert "no, one is -2" in str(given)


def test_the_users_multipliers():
    problem = tw.Problem(squares, equality=lambda x: {"a": x[:1] - 1, "b": x[1]})
    x = np.asarray([1.0, 0.0], DTYPE)
    report = tw.landscape.kkt(problem, x, ({"a": [-2.0], "b": 0.0}, ()))
    assert report.residual == 0
    assert [line.name for line in report.equality] == ["equality[a][0]", "equality[b]"]
    assert tw.landscape.kkt(problem, x, ([0.0, 0.0], ())).residual == 2
    with pytest.raises(ValueError, match="1 for 2 entries of equality"):
        tw.landscape.kkt(problem, x, ([0.0], ()))
    with pytest.raises(TypeError, match="give the pair"):
        tw.landscape.kkt(problem, x, 3.0)


def test_bounds_and_sets_alone():
    problem = tw.Problem(lambda x: jnp.sum((x - 2) ** 2), bounds=tw.Bounds(np.asarray([0.5, 0.0, 3.0]), 3.0))
    report = tw.landscape.kkt(problem, np.asarray([2.0, 0.0, 3.0], DTYPE))
    assert {line.name: line.multiplier for line in report.bounds} == {"x[1] lower": 0.0, "x[2] lower": 2.0}
    assert report.stationarity == 3.0, "at the lower limit of x_2 the value falls inwards"
    known = zoo("simplex-least-squares")
    assert tw.landscape.kkt(known.problem, np.asarray(known.argmin, DTYPE)).ok(tol(1e-9, 1e-5))


def test_a_set_and_a_constraint_together():
    """Nearest point of the simplex with x_1 = x_2, to (1, 0, 1/4): (3/8, 3/8, 1/4) + (1/12 - 1/8) ... by symmetry."""
    target = jnp.asarray([1.0, 0.0, 0.25], DTYPE)
    problem = tw.Problem(
        lambda x: 0.5 * jnp.sum((x - target) ** 2), nonsmooth=tw.Simplex(), equality=lambda x: x[0] - x[1]
    )
    x = jnp.asarray([0.5, 0.5, 0.25], DTYPE) - 1 / 12
    assert float(tw.optimality(problem, x)) <= 1e3 * EPS
    report = tw.landscape.kkt(problem, x)
    assert report.ok(1e3 * EPS)
    assert report.multipliers.equality == pytest.approx([0.5], abs=1e4 * EPS)
    assert float(tw.optimality(problem, x + jnp.asarray([0.05, 0.05, -0.1], DTYPE))) > 0.01


def test_redundant_equalities_have_the_least_multipliers():
    problem = tw.Problem(squares, equality=lambda x: jnp.stack([x[0] - 1, 2 * x[0] - 2]))
    report = tw.landscape.kkt(problem, np.asarray([1.0, 0.0], DTYPE))
    np.testing.assert_allclose(report.multipliers.equality, [-0.4, -0.8], atol=CLOSE)
    assert (report.rank, report.count) == (1, 2)
    assert float(tw.optimality(problem, jnp.asarray([1.0, 0.0], DTYPE))) <= 1e3 * EPS


def test_the_users_tree_with_frozen_leaves():
    problem = tw.Problem(lambda t: t["n"] * squares(t["w"]), equality=lambda t: t["w"][0] - t["n"])
    report = tw.landscape.kkt(problem, {"w": np.asarray([3.0, 0.0], DTYPE), "n": 3})
    assert report.residual <= 1e2 * EPS
    assert report.multipliers.equality == pytest.approx([-18.0])


def test_a_plain_function_has_its_gradient():
    assert tw.landscape.kkt(squares, np.asarray([1.0, -2.0], DTYPE)).residual == 4
    assert tw.landscape.kkt(squares, np.zeros(2, DTYPE)).ok(0)


@pytest.mark.parametrize("seed", range(20))
def test_nonnegative_least_squares_beside_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(6, rng.integers(1, 9))), rng.normal(size=6)
    if seed % 2:
        a[:, -1] = a[:, 0]  # dependent columns
    ours, (theirs, gap) = nnls(a, b), scipy_nnls(a, b)
    assert np.all(ours >= 0)
    assert np.linalg.norm(a @ ours - b) == pytest.approx(gap, abs=1e-12)
    if not seed % 2 and a.shape[1] <= 6:
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_the_certificate_can_be_jitted():
    known = zoo("hs71")
    value = jax.jit(lambda x: tw.optimality(known.problem, x))(jnp.asarray(known.argmin, DTYPE))
    assert float(value) <= (1e-10 if X64 else 1e-3)
