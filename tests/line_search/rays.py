"""Functions of one variable for line searches, and a way to search them."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from tests.helpers import EPS
from thalweg.core.types import Evaluation
from thalweg.line_search.protocol import Found, Phi, Ray


def ray(fun: Callable, initial_step: Any = 1.0) -> Ray:
    """`fun` from 0 on, as a search sees it."""
    initial_step = jnp.asarray(initial_step, jnp.result_type(float))

    def at(t):
        value, slope = jax.value_and_grad(fun)(t)
        return Phi(value, slope, Evaluation(t, value, slope))

    zero = jnp.zeros_like(initial_step)
    return Ray(at, at(zero), initial_step, jnp.full_like(initial_step, jnp.inf), lambda: jax.grad(jax.grad(fun))(zero))


def look(search: tw.line_search.LineSearch, ray: Ray) -> Found:
    """One search without anything remembered."""
    return search(ray, search.init(ray.start.seen))


@functools.cache
def compiled(search: tw.line_search.LineSearch, fun: Callable) -> Callable[[Any, Any], Found]:
    """One program for all parameters of a family `fun(t, parameters)` and all first trials."""
    return jax.jit(lambda step0, parameters: look(search, ray(lambda t: fun(t, parameters), step0)))


def find(search: tw.line_search.LineSearch, fun: Callable, step0: float = 1.0, parameters: Any = 0.0) -> Found:
    """What the search finds, as NumPy numbers."""
    parameters = jnp.asarray(parameters, jnp.result_type(float))
    found = compiled(search, fun)(jnp.asarray(step0, parameters.dtype), parameters)
    assert_is_measured(found, lambda t: fun(t, parameters))
    return jax.tree.map(np.asarray, found)


def assert_is_measured(found: Found, fun: Callable) -> None:
    """The evaluation returned is that of the step returned."""
    value, slope = jax.value_and_grad(fun)(found.step)
    np.testing.assert_array_equal(found.phi.seen.x, found.step)
    np.testing.assert_allclose(found.phi.value, value, rtol=10 * EPS)
    np.testing.assert_allclose(found.phi.slope, slope, rtol=1e-6, atol=1e3 * EPS * abs(float(value)))


def start(fun: Callable, parameters: Any = 0.0) -> tuple[float, float]:
    """Value and slope at 0."""
    parameters = jnp.asarray(parameters, jnp.result_type(float))
    value, slope = jax.value_and_grad(lambda t: fun(t, parameters))(jnp.zeros((), parameters.dtype))
    return float(value), float(slope)


def fell(found: Found, at_0: tuple[float, float], fraction: float) -> bool:
    """Armijo's condition up to rounding."""
    value, slope = at_0
    return found.phi.value <= value + fraction * found.step * slope + 4 * EPS * abs(value)


def is_flat(found: Found, at_0: tuple[float, float], fraction: float) -> bool:
    """The curvature condition."""
    return abs(found.phi.slope) <= fraction * abs(at_0[1])


def parabola(t, parameters):
    """Minimum at `a`, curvature `c`, floor `b`."""
    a, c, b = parameters
    return 0.5 * c * (t - a) ** 2 + b


def more_thuente_1(t, _):
    """Moré & Thuente 1994, section 5: concave beyond its minimum at sqrt(2)."""
    return -t / (t**2 + 2)


def more_thuente_2(t, _):
    """Nearly flat at the start, minimum at 1.6."""
    s = t + 0.004
    return s**5 - 2 * s**4


def more_thuente_3(t, _):
    """A hump of waves on a V with its corner at 1."""
    low, high, waves = 1 - t, t - 1, 39
    inside = (t - 1) ** 2 / 0.02 + 0.005
    corner = jnp.where(t <= 0.99, low, jnp.where(t >= 1.01, high, inside))
    return corner + 2 * 0.99 / (waves * jnp.pi) * jnp.sin(waves * jnp.pi / 2 * t)


def yanai(t, parameters):
    """Functions 4 to 6 of the same set: steep on one side, flat on the other."""
    b1, b2 = parameters

    def gamma(b):
        return jnp.sqrt(1 + b**2) - b

    return gamma(b1) * jnp.sqrt((1 - t) ** 2 + b2**2) + gamma(b2) * jnp.sqrt(t**2 + b1**2)


def nan_wall(t, wall):
    """A parabola with its minimum at 1, not defined from `wall` on."""
    return jnp.where(t < wall, (t - 1) ** 2, jnp.nan)


def infinite_wall(t, wall):
    """The same with an infinite value there."""
    return jnp.where(t < wall, (t - 1) ** 2, jnp.inf)


def log_wall(t, wall):
    """A barrier: the function goes to infinity at `wall` and is NaN beyond."""
    return -t - 0.1 * jnp.log(wall - t)


def downhill(t, power):
    """Falls without end."""
    return -((1 + t) ** power)


def exponential(t, _):
    """Falls without end, and soon to -inf."""
    return -jnp.exp(t)


def misled(t, _):
    """Its slope says down and its value goes up: a wrong gradient."""
    return t - 2 * (t - jax.lax.stop_gradient(t))
