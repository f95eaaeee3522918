"""Single dispatch: chosen by the program, never by a clock, and equal to the compiled loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import assert_same
from tests.run.test_driver import bowl, start


def convolving(kernel, image):
    """A loss with a convolution in it."""
    out = jax.lax.conv_general_dilated(image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jnp.mean((out - 1.0) ** 2)


def image(n=2):
    """A small batch of images."""
    return np.asarray(np.random.default_rng(0).normal(size=(n, 6, 6, 1)), jnp.result_type(float))


OTHERS = [pytest.param(method, marks=pytest.mark.thorough) for method in (tw.SGD(0.05), tw.LBFGS(), tw.FISTA())]


@pytest.mark.parametrize("method", [tw.Adam(0.1), *OTHERS])
def test_both_modes_end_alike(method):
    options = {"stop": tw.GradNorm(1e-3) | tw.Steps(12)}
    chunked = tw.minimize(bowl, start(), method, **options)
    single = tw.minimize(bowl, start(), method, dispatch="single", **options)
    assert chunked.status == single.status and chunked.steps == single.steps
    np.testing.assert_allclose(single.x, chunked.x, rtol=1e-5, atol=1e-7)
    assert single.config["dispatch"] == "single" and chunked.config["dispatch"] == "chunk"


def test_a_convolution_on_the_cpu_is_dispatched_singly():
    kernel = np.ones((3, 3, 1, 1), jnp.result_type(float)) / 9
    result = tw.minimize(tw.Problem(convolving, image()), kernel, tw.SGD(0.05), stop=tw.Steps(4))
    assert result.config["dispatch"] == "single"
    inside = tw.minimize(tw.Problem(convolving, image()), kernel, tw.SGD(0.05), stop=tw.Steps(4), dispatch="chunk")
    assert inside.config["dispatch"] == "chunk"
    np.testing.assert_allclose(result.x, inside.x, rtol=1e-5)


def test_a_convolution_inside_a_jitted_layer_is_seen():
    kernel = np.ones((3, 3, 1, 1), jnp.result_type(float)) / 9
    problem = tw.Problem(jax.jit(convolving), image())
    assert tw.minimize(problem, kernel, tw.SGD(0.05), stop=tw.Steps(2)).config["dispatch"] == "single"


def test_single_dispatch_continues_and_repeats():
    whole = tw.minimize(bowl, start(), tw.Adam(0.3), stop=tw.Steps(9), dispatch="single")
    half = tw.minimize(bowl, start(), tw.Adam(0.3), stop=tw.Steps(4), dispatch="single")
    rest = tw.minimize(bowl, start(), tw.Adam(0.3), stop=tw.Steps(9), dispatch="single", state=half.state)
    assert_same(whole.x, rest.x)


def test_single_dispatch_finds_the_best_point_again():
    result = tw.minimize(bowl, start(), tw.Adam(1.0), stop=tw.Steps(40), dispatch="single")
    lowest = int(np.argmin(result.trace.value))
    assert result.best.step == lowest
    np.testing.assert_allclose(float(bowl(result.best.x)), result.best.value, rtol=1e-6)
