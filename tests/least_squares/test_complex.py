"""Complex residuals count by their modulus: the fit is that of their real and imaginary parts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import RESIDUALS, at_once, sampled, solver, tol
from thalweg.scipy import least_squares


@pytest.fixture(autouse=True)
def standard_promotion():
    """Whoever writes complex residuals mixes real and complex numbers."""
    with jax.numpy_dtype_promotion("standard"):
        yield


FREQUENCIES = np.logspace(1, 4, 25)
TRUE = np.asarray([1.2, 0.8])
START = np.ones(2)


def impedance(x, frequencies):
    """A resistor of 100 x_0 ohm and a capacitor of 10 x_1 microfarad in parallel."""
    return 100.0 * x[0] / (1 + 1j * (1e-3 * frequencies) * x[0] * x[1])


SEEN = np.asarray(impedance(TRUE, FREQUENCIES)) * (1 + 0.01 * np.random.default_rng(0).normal(size=(25, 2)) @ [1, 1j])


def apart(x):
    """The misfit as complex numbers."""
    return impedance(x, FREQUENCIES.astype(x.dtype)) - SEEN.astype(jnp.result_type(x.dtype, jnp.complex64))


def in_parts(x):
    """The same as twice as many real numbers."""
    misfit = apart(x)
    return {"real": misfit.real, "imaginary": misfit.imag}


def both(x):
    """Value and gradient of either form."""
    forms = (tw.LeastSquares(apart), tw.LeastSquares(in_parts))
    return [form.value_and_grad(x) for form in forms]


def test_the_value_is_half_the_squared_moduli():
    x = jnp.asarray([1.5, 0.5])
    (value, grad), (expected, slopes) = at_once(both, x)
    moduli = np.abs(np.asarray(impedance(np.asarray(x), FREQUENCIES)) - SEEN)
    assert value == pytest.approx(0.5 * np.sum(moduli**2), rel=tol(1e-12, 1e-5))
    np.testing.assert_allclose([value, *grad], [expected, *slopes], rtol=tol(1e-12, 1e-5))


@pytest.mark.parametrize("method", [*RESIDUALS, *sampled(["lbfgs", "bfgs", "newton"], ["lbfgs"])])
def test_every_method_fits_them(method):
    stop = tw.GradNorm(tol(1e-6, 1e-1)) | tw.Steps(500)  # slopes at the start are of the size 1e4
    fits = [
        tw.minimize(tw.LeastSquares(form), START, solver(method), stop=stop, on_failure="ignore")
        for form in (apart, in_parts)
    ]
    np.testing.assert_allclose(fits[0].x, fits[1].x, rtol=tol(1e-8, 1e-3))
    np.testing.assert_allclose(fits[0].x, TRUE, rtol=0.02)
    assert fits[0].value == pytest.approx(fits[1].value, rel=tol(1e-10, 1e-3))


def test_complex_data_and_a_tree_of_residuals():
    def misfit(x, batch):
        frequencies, seen = batch
        return {"z": impedance(x, frequencies) - seen, "prior": 0.1 * (x - 1.0)}

    problem = tw.Problem(tw.LeastSquares(misfit), data=(FREQUENCIES, SEEN))
    result = tw.minimize(problem, START, stop=tw.GradNorm(tol(1e-6, 1e-1)) | tw.Steps(500), on_failure="ignore")
    assert result.name == "LevenbergMarquardt"
    np.testing.assert_allclose(result.x, TRUE, rtol=0.02)


def test_scipys_form_returns_all_parts():
    result = least_squares(apart, START)
    parts = np.asarray(impedance(np.asarray(result.x), FREQUENCIES)) - SEEN
    np.testing.assert_allclose(result.fun, np.concatenate([parts.real, parts.imag]), rtol=0, atol=tol(1e-9, 1e-3))
    assert result.jac.shape == (50, 2)
    assert result.cost == pytest.approx(0.5 * np.sum(np.abs(parts) ** 2), rel=tol(1e-9, 1e-3))
