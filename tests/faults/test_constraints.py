"""Constraints that cannot be met, that say the same thing twice, that are NaN, or that are not constraints."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.faults.chosen import chosen
from tests.helpers import compilations, sampled, tol
from thalweg.solvers.descent.lbfgsb import LBFGSBDirection

X0 = np.asarray([0.5, 0.7])
STOP = tw.GradNorm(tol(1e-6, 1e-3)) | tw.Steps(2000)
METHODS = {"lbfgs": tw.AugmentedLagrangian(), "projected": tw.AugmentedLagrangian(tw.ProjectedGradient())}


def squares(x):
    return jnp.sum(x**2)


def solve(method="lbfgs", objective=squares, x0=X0, **parts):
    return tw.minimize(tw.Problem(objective, **parts), x0, METHODS[method], stop=STOP, on_failure="ignore")


EVERY = pytest.mark.parametrize("method", sampled(METHODS, ["lbfgs"]))


def no_root(x, _):
    return x[0] ** 2 + 1


def singular(x, _):
    """No slope where it is met."""
    return (x[0] - 1) ** 2


def scaled(x, scale):
    return scale * (x[0] - 1)


def apart(x, _):
    return jnp.stack([x[0] - 1, x[0] + 1])


def between(x, _):
    return jnp.stack([x[0] - 1, 2 - x[0]])


def logarithm(x, _):
    """The second is NaN at the start."""
    return jnp.stack([x[0] - 1, jnp.log(x[1] - 2)])


def walled(x, _):
    """NaN beyond 0."""
    return -jnp.log(x) - 1


def redundant(x, _):
    return jnp.stack([x[0] - 1, 2 * x[0] - 2, x[0] + x[1] - 1])


def repeated(x, _):
    return jnp.stack([x[0] - 1] * 3)


def idle(x, _):
    return jnp.stack([x[0] - 1, 0 * x[0], 0 * x[1]])


ALIKE = ((no_root, singular, scaled), (apart, between, logarithm, walled), (redundant, repeated, idle))
"""Those with as many entries are one program."""


def one_of(constraint, number=1.0):
    """A constraint, among those with which it shares a program."""
    return chosen(next(group for group in ALIKE if constraint in group), constraint, number)


INFEASIBLE = {
    "two equalities": ({"equality": one_of(apart)}, ("equality[0]", "equality[1]")),
    "both kinds": (
        {"equality": lambda x: {"a": x[:1] - 1}, "inequality": lambda x: x[0] + 1},
        ("equality[a][0]", "inequality is violated"),
    ),
    "two inequalities": (
        {"inequality": one_of(between)},
        ("inequality[0] is violated by 0.5", "inequality[1] is violated by 0.5"),
    ),
    "no real root": ({"equality": one_of(no_root)}, ("equality is violated by 1",)),
    "against a bound": (
        {"inequality": lambda x: 2 - x[0], "bounds": tw.Bounds(-1.0, 1.0)},
        ("inequality is violated",),
    ),
    "a constant": ({"inequality": lambda x: 1.5}, ("inequality is violated by 1.5",)),
}


@EVERY
@pytest.mark.parametrize("case", sampled(INFEASIBLE, ["two equalities", "two inequalities", "no real root"]))
def test_infeasible_constraints_are_named(case, method):
    parts, names = INFEASIBLE[case]
    result = solve(method, **parts)
    assert (result.status, result.ok) == (tw.Status.INFEASIBLE, False)
    for name in names:
        assert name in result.message
    assert "c(x) <= 0" in " ".join(result.advice)
    assert result.infeasibility >= 0.49
    assert result.infeasibility == pytest.approx(result.trace.infeasibility.min(), rel=1e-3), "the least violation"


@pytest.mark.thorough
def test_an_infeasible_problem_warns():
    with pytest.warns(tw.MinimizeWarning, match=r"INFEASIBLE after \d+ steps: the constraints cannot be met near"):
        tw.minimize(tw.Problem(squares, equality=one_of(no_root)), X0)


HARD = {
    "redundant": (one_of(redundant), [1.0, 0.0], 1e-5),
    "repeated": (one_of(repeated), [1.0, 0.0], 1e-5),
    "idle": (one_of(idle), [1.0, 0.0], 1e-5),
    "rank 0 at the solution": (one_of(singular), [1.0, 0.0], 2e-3),
    "steep": (one_of(scaled, 1e3), [1.0, 0.0], 1e-5),
    "shallow": (one_of(scaled, 1e-2), [1.0, 0.0], 1e-3),
}


@pytest.mark.parametrize("case", HARD)
def test_equalities_that_are_no_good_are_met_all_the_same(case):
    equality, best, close = HARD[case]
    result = solve(equality=equality)
    if case == "steep" and tol(1, 0) == 0:
        assert result.status in (tw.Status.CONVERGED, tw.Status.SEARCH_FAILED), "rounding times 1000 hides the residual"
    else:
        assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, best, atol=tol(close, 0.15))


@pytest.mark.thorough
def test_a_point_without_multipliers_is_no_kkt_point():
    """Min x_1 with x_2 <= x_1^3 ... >= 0: at the minimum 0 the gradients are opposite, and no multipliers exist."""
    walls = {"inequality": lambda x: jnp.stack([x[1] - x[0] ** 3, -x[1]])}
    result = solve(objective=lambda x: x[0], **walls)
    assert result.infeasibility <= tol(1e-6, 1e-3)
    assert abs(float(result.x[0])) <= tol(0.05, 0.5)
    assert max(float(m) for m in result.state.state.multipliers.inequality) > 10, "they run away"


@pytest.mark.thorough
@EVERY
def test_equal_limits_fix_an_entry_and_a_start_outside_is_moved(method):
    limits = tw.Bounds(np.asarray([0.5, -1.0]), np.asarray([0.5, 1.0]))
    result = solve(method, x0=np.asarray([9.0, -9.0]), equality=lambda x: x[0] + x[1] - 1, bounds=limits)
    np.testing.assert_allclose(result.x, [0.5, 0.5], atol=tol(1e-5, 1e-2))
    with pytest.raises(ValueError, match=r"lower=2.0 > upper=1.0"):
        tw.Bounds(2.0, 1.0)


@EVERY
def test_nan_at_the_start_names_the_constraint(method):
    result = solve(method, equality=one_of(logarithm))
    assert result.status is tw.Status.NONFINITE
    assert "equality[1] is NaN at step 0, where the objective is 0.74" in result.message
    assert "equality[0]" not in result.message
    assert "every constraint is a number" in " ".join(result.advice)
    np.testing.assert_array_equal(result.x, np.asarray(X0, result.x.dtype))


@EVERY
def test_nan_beyond_a_wall_is_backed_away_from(method):
    result = solve(method, inequality=one_of(walled))
    assert result.status is tw.Status.CONVERGED
    np.testing.assert_allclose(result.x, np.exp(-1), atol=tol(1e-5, 1e-2))


@pytest.mark.thorough
def test_a_constraint_on_parameters_that_the_loss_does_not_use():
    """Min t with |x - 1| <= t: the loss sees t alone."""
    result = tw.minimize(
        tw.Problem(lambda v: v["t"], inequality=lambda v: jnp.stack([v["x"] - 1 - v["t"], 1 - v["x"] - v["t"]])),
        {"t": np.asarray(3.0, jnp.result_type(float)), "x": np.asarray(0.0, jnp.result_type(float))},
        stop=STOP,
        on_failure="ignore",
    )
    assert result.status is tw.Status.CONVERGED
    assert float(result.x["t"]) == pytest.approx(0, abs=tol(1e-5, 1e-2))
    assert float(result.x["x"]) == pytest.approx(1, abs=tol(1e-5, 1e-2))


WORKS = {
    "a scalar": lambda x: x[0] - 1,
    "a list": lambda x: [x[0] - 1],
    "a dict of shapes": lambda x: {"a": (x[:1] - 1).reshape(1, 1), "none yet": jnp.zeros(0)},
    "a NumPy constant beside it": lambda x: (x[0] - 1, np.zeros(2, np.float32)),
}


@pytest.mark.parametrize("form", sampled(WORKS, ["a dict of shapes"]))
def test_forms_that_work(form):
    np.testing.assert_allclose(solve(equality=WORKS[form]).x, [1.0, 0.0], atol=tol(1e-5, 1e-2))


REFUSED = {
    "a comparison": (lambda x: x[0] >= 1, TypeError, "inequality=.*bool.*difference of its sides, not the comparison"),
    "integers": (lambda x: jnp.round(x).astype(int), TypeError, r"floating-point arrays.*dtype int(32|64)"),
    "complex": (lambda x: x.astype(complex), TypeError, "the real and the imaginary part"),
    "nothing": (lambda x: None, TypeError, "returned a NoneType: return h"),
    "a string": (lambda x: "x > 1", TypeError, "returned a str"),
    "numpy": (lambda x: np.sqrt(np.asarray(x)), TypeError, "inequality.*NumPy array.*jax.numpy"),
    "a branch": (lambda x: x if x[0] > 1 else -x, TypeError, "inequality.*jnp.where"),
}


@pytest.mark.parametrize(("inequality", "error", "match"), REFUSED.values(), ids=REFUSED)
def test_forms_that_do_not_work_are_one_sentence_before_compiling(inequality, error, match):
    with compilations() as names, pytest.raises(error, match=match):
        tw.minimize(tw.Problem(squares, inequality=inequality), X0)
    assert names == []


def test_what_cannot_be_called_is_refused():
    for part in ("equality", "inequality"):
        with pytest.raises(TypeError, match=f"Problem\\({part}=array.*give a function"):
            tw.Problem(squares, **{part: np.zeros(2)})


def test_an_error_of_the_users_own_comes_through():
    with pytest.raises(KeyError, match="nowhere"):
        tw.minimize(tw.Problem(lambda t: squares(t["x"]), equality=lambda t: t["nowhere"]), {"x": X0})


@pytest.mark.parametrize(
    ("parts", "method", "label"),
    [
        ({"equality": lambda x: x[0]}, "AugmentedLagrangian", "Augmented Lagrangian"),
        ({"inequality": lambda x: x[0], "bounds": tw.Bounds(0.0)}, "AugmentedLagrangian", "Augmented Lagrangian"),
        ({"bounds": tw.Bounds(0.0)}, "Descent", "L-BFGS-B"),
        ({"nonsmooth": tw.L2Ball()}, "ProjectedGradient", "Projected gradient"),
        ({"nonsmooth": tw.L1(0.1), "bounds": tw.Bounds(0.0)}, "FISTA", "FISTA"),
    ],
)
def test_suggestions(parts, method, label):
    """Bounds beside other constraints stay with an inner method that never leaves them."""
    suggestion = tw.suggest(tw.Problem(squares, **parts), X0)
    assert type(suggestion.method).__name__ == method
    assert suggestion.reason.startswith(f"{label}: ")
    if "inequality" in parts:
        assert isinstance(suggestion.method.inner.direction, LBFGSBDirection)
