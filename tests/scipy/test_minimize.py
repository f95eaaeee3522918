"""The front for SciPy's users: the same scripts give the same minima, statuses and, about, counts."""

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import thalweg as tw
from tests.helpers import X64, sampled
from thalweg.scipy import least_squares, minimize

pytestmark = pytest.mark.skipif(not X64, reason="SciPy computes in float64")
VALLEY = np.array([-1.2, 1.0])


def valley(x, scale=100.0):
    return scale * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def both(**arguments):
    """SciPy's result and ours, of one call."""
    with np.errstate(all="ignore"):
        theirs = scipy.optimize.minimize(valley, VALLEY, **arguments)
    return theirs, minimize(valley, VALLEY, **arguments)


SCRIPTS = {
    "chosen": {},
    "l-bfgs-b": {"method": "L-BFGS-B"},
    "pairs": {"bounds": [(None, 0.8), (-1.5, None)]},
    "newton-cg": {"method": "Newton-CG", "tol": 1e-8},
}


@pytest.mark.parametrize("script", sampled(SCRIPTS, ["l-bfgs-b"]))
def test_the_same_script_gives_the_same_minimum(script):
    arguments = SCRIPTS[script]
    needs_jac = {"jac": lambda x: scipy.optimize.rosen_der(x)} if arguments.get("method") == "Newton-CG" else {}
    theirs = scipy.optimize.minimize(valley, VALLEY, **arguments, **needs_jac)
    ours = minimize(valley, VALLEY, **arguments)
    assert isinstance(ours, scipy.optimize.OptimizeResult)
    assert (ours.success, ours.status) == (theirs.success, theirs.status) == (True, 0)
    np.testing.assert_allclose(ours.x, theirs.x, atol=2e-3)
    assert ours.fun == pytest.approx(theirs.fun, abs=1e-7)
    calls = theirs.nfev if needs_jac else theirs.njev  # SciPy counts finite differences as values
    assert ours.nfev <= 2.0 * calls
    assert set(ours) >= {"x", "fun", "jac", "nit", "nfev", "njev", "nhev", "message"}
    np.testing.assert_allclose(ours.jac, scipy.optimize.rosen_der(ours.x), atol=1e-9)


MATRIX = np.diag([1.0, 4.0, 9.0]) + 0.5


def quadratic(x):
    return 0.5 * x @ MATRIX @ x - jnp.sum(x)


@pytest.mark.thorough
@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B"])
def test_hess_inv_is_what_the_method_has_learned(method):
    found = minimize(quadratic, np.zeros(3), method=method, options={"gtol": 1e-9})
    assert found.hess_inv.shape == (3, 3)
    np.testing.assert_allclose(found.hess_inv, np.linalg.inv(MATRIX), atol=0.02)
    resting = minimize(quadratic, found.x, method=method, options={"gtol": 1e-5})
    np.testing.assert_array_equal(resting.hess_inv, np.eye(3))
    assert "hess_inv" not in minimize(quadratic, np.zeros(3), method="CG")


@pytest.mark.thorough
def test_constraints_in_scipys_forms():
    """A circle and a half plane: `fun(x) >= 0` in a dict, limits in an object."""
    dicts = (
        {"type": "ineq", "fun": lambda x: x[0] - 2 * x[1] + 2},
        {"type": "ineq", "fun": lambda x, b: -x[0] - 2 * x[1] + b, "args": (6,)},
        {"type": "eq", "fun": lambda x: x[0] - x[1]},
    )
    objects = [
        scipy.optimize.LinearConstraint([[1, -2], [1, 2]], [-2, -np.inf], [np.inf, 6]),
        scipy.optimize.NonlinearConstraint(lambda x: x[0] - x[1], 0, 0),
    ]

    def distance(x):
        return (x[0] - 1) ** 2 + (x[1] - 2.5) ** 2

    for constraints in (dicts, objects):
        theirs = scipy.optimize.minimize(distance, [2, 0], bounds=((0, None),) * 2, constraints=constraints)
        ours = minimize(distance, [2, 0], bounds=((0, None),) * 2, constraints=constraints)
        assert ours.success
        np.testing.assert_allclose(ours.x, theirs.x, atol=1e-5)
        assert ours.maxcv <= 1e-6


def test_bounds_of_scipy_and_a_method_of_ours():
    ours = minimize(valley, VALLEY, bounds=scipy.optimize.Bounds([-2, -2], [0.5, 2]), method=tw.ProjectedGradient())
    np.testing.assert_allclose(ours.x, [0.5, 0.25], atol=1e-4)


@pytest.mark.parametrize("form", ["xk", "result", "state"])
def test_callbacks_see_every_step_and_may_end_the_run(form):
    seen = []

    def note(x):
        seen.append(np.asarray(x))
        if len(seen) == 3:
            raise StopIteration

    forms = {
        "xk": lambda xk: note(xk),
        "result": lambda intermediate_result: note(intermediate_result.x),
        "state": lambda xk, state: note(state.x),
    }
    ended = minimize(valley, VALLEY, method="L-BFGS-B", callback=forms[form])
    limited = minimize(valley, VALLEY, method="L-BFGS-B", options={"maxiter": 3})
    assert (len(seen), ended.status, ended.success, ended.nit) == (3, 99, False, 3)
    assert (limited.status, limited.success, limited.nit) == (1, False, 3)
    np.testing.assert_array_equal(ended.x, limited.x)
    np.testing.assert_array_equal(seen[-1], limited.x)


def test_args_are_traced_and_derivatives_are_ours():
    first = minimize(valley, VALLEY, args=(jnp.asarray(10.0),), method="L-BFGS-B")
    again = minimize(valley, VALLEY, args=(jnp.asarray(1.0),), method="L-BFGS-B")
    assert first.success
    assert again.success
    assert again.nit < first.nit


@pytest.mark.thorough
def test_jac_is_left_out():
    with pytest.warns(UserWarning, match="jac= is not used: JAX differentiates fun; leave it out"):
        pair = minimize(lambda x: (valley(x), None), VALLEY, jac=True, method="L-BFGS-B")
    np.testing.assert_allclose(pair.x, 1.0, atol=1e-3)


REFUSED = {
    "method": ({"method": "BGFS"}, ValueError, "did you mean 'bfgs'"),
    "without derivatives": ({"method": "Nelder-Mead"}, ValueError, "'BFGS', or 'L-BFGS-B' with bounds"),
    "not a name": ({"method": 3}, TypeError, "give one of SciPy's names"),
    "option": ({"options": {"maxitr": 3}}, ValueError, "did you mean 'maxiter'"),
    "bounds": ({"method": "BFGS", "bounds": [(0, 1)] * 2}, ValueError, "would ignore bounds=; use method='L-BFGS-B'"),
    "pairs": ({"bounds": [(0, 1)]}, ValueError, "1 entries for 2 variables"),
    "crossed": ({"bounds": [(1, 0)] * 2}, ValueError, "no point lies between"),
    "constraint": ({"constraints": {"type": "eqq", "fun": valley}}, ValueError, "'eq' or 'ineq'"),
    "constraint of another kind": ({"constraints": valley}, TypeError, "neither a dict nor"),
    "numpy": ({"fun": lambda x: np.sin(x).sum()}, TypeError, "write it with jax.numpy instead of numpy"),
    "tree": ({"x0": {"a": 1.0}}, TypeError, "use tw.minimize for other trees"),
    "matrix": ({"x0": np.ones((2, 2))}, ValueError, "x0 must be a single array"),
}


@pytest.mark.parametrize(("arguments", "error", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused_in_one_sentence(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        minimize(**({"fun": valley, "x0": VALLEY} | arguments))


def test_every_name_has_a_method():
    """A method that is not in this version says so; none of the names is forgotten."""
    from thalweg.scipy.methods import SCIPY_METHODS

    for choice in SCIPY_METHODS.values():
        try:
            assert isinstance(choice.make({}), tw.Solver)
        except NotImplementedError as error:
            assert "is not part of this version" in str(error)  # noqa: PT017


def exponential(p, t, y):
    return p[0] * jnp.exp(-p[1] * t) - y


TIMES = np.linspace(0, 4, 20)
DATA = 2.0 * np.exp(-0.7 * TIMES) + 0.01 * np.cos(9 * TIMES)


BOX = pytest.param(([0.0, 0.0], [1.5, np.inf]), marks=pytest.mark.thorough)


@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), BOX], ids=["free", "box"])
def test_least_squares(bounds):
    if np.isinf(bounds[0]).all() if np.ndim(bounds[0]) else True:
        pytest.importorskip("thalweg.solvers.least_squares")

    def in_numpy(p, t, y):
        return p[0] * np.exp(-p[1] * t) - y

    theirs = scipy.optimize.least_squares(in_numpy, [1.0, 1.0], bounds=bounds, args=(TIMES, DATA))
    ours = least_squares(exponential, [1.0, 1.0], bounds=bounds, args=(TIMES, DATA))
    assert ours.success
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-5)
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-6)
    np.testing.assert_allclose(ours.fun, theirs.fun, atol=1e-5)
    np.testing.assert_allclose(ours.jac, theirs.jac, atol=1e-4)
    np.testing.assert_array_equal(ours.active_mask, theirs.active_mask)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"loss": "huber"}, "or minimize with a loss of your own"),
        ({"method": "newton"}, "choose one of 'trf'"),
        ({"method": "lm", "bounds": (0, 1)}, "use method='trf'"),
    ],
)
def test_least_squares_refuses_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        least_squares(exponential, [1.0, 1.0], args=(TIMES, DATA), **arguments)


@pytest.mark.thorough
def test_scipy_is_not_imported_until_it_is_called():
    code = "import sys, thalweg.scipy; assert not any(m.split('.')[0] == 'scipy' for m in set(sys.modules) - base)"
    start = "import sys, jax; base = set(sys.modules); "
    subprocess.run([sys.executable, "-c", start + code], check=True, timeout=120)


def test_the_look_alike():
    from thalweg.scipy.minimize import AttributeDict

    result = AttributeDict(x=1)
    assert (result.x, result["x"], "x" in dir(result)) == (1, 1, True)
    with pytest.raises(AttributeError):
        _ = result.y


@pytest.mark.thorough
def test_default_tolerances_are_those_that_float32_reaches():
    """No warning about a tolerance that nobody gave, and success where only rounding is left."""
    rates = np.arange(5, dtype=np.float32)
    seen = np.float32([5, 3, 2, 1.2, 0.7])
    fitted = least_squares(lambda p: p[0] * jnp.exp(-p[1] * rates) - seen, np.ones(2, np.float32))
    assert fitted.success and fitted.x.dtype == np.float32
    np.testing.assert_allclose(fitted.x, [4.977, 0.4778], rtol=1e-3)
    low = minimize(lambda x: jnp.sum((x - 1) ** 4 + (x - 1) ** 2), np.zeros(3, np.float32), method="trust-constr")
    assert low.success and low.x.dtype == np.float32


def three_rows(x):
    return jnp.stack([x[0] ** 2 + x[1] - 11, x[0] + x[1] ** 2 - 7.3, x[0] - 3.3])


@pytest.mark.thorough
@pytest.mark.parametrize(("xtol", "status"), [(1e-8, 3), (None, -1)])
def test_xtol_is_an_end_at_rounding(xtol, status):
    fitted = least_squares(three_rows, np.ones(2), ftol=None, gtol=None, xtol=xtol)
    assert (fitted.status, fitted.success) == (status, xtol is not None)
