"""Functions of one variable for line searches, and a way to search them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from tests.helpers import EPS, at_once
from thalweg.core.types import Evaluation
from thalweg.line_search.protocol import Found, Phi, Ray

WIDE = np.dtype(jnp.result_type(float))


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


def any_of_them(which: jax.Array, t: jax.Array, numbers: jax.Array) -> jax.Array:
    """The function with this place in `FAMILY`: one program for all of them."""
    return jax.lax.switch(which, FAMILY, t, numbers)


def searched(search: tw.line_search.LineSearch, which: jax.Array, step0: jax.Array, numbers: jax.Array) -> Found:
    return look(search, ray(lambda t: any_of_them(which, t, numbers), step0))


def both(which: jax.Array, t: jax.Array, numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.value_and_grad(lambda t: any_of_them(which, t, numbers))(t)


def chosen(fun: Callable, parameters: Any) -> tuple[np.ndarray, np.ndarray]:
    """The place of a function, and its parameters, filled up to three."""
    given = np.ravel(parameters)
    return np.asarray(FAMILY.index(fun), np.int32), np.concatenate([given, np.zeros(3 - given.size)]).astype(WIDE)


def value_and_slope(fun: Callable, t: float, parameters: Any = 0.0) -> tuple[float, float]:
    """At one point."""
    which, numbers = chosen(fun, parameters)
    value, slope = at_once(both, which, np.asarray(t, WIDE), numbers)
    return float(value), float(slope)


def find_unmeasured(search: tw.line_search.LineSearch, fun: Callable, step0: float = 1.0, parameters: Any = 0.0):
    """As `find`, where the end may be infinite, or rounding decides what is measured there."""
    which, numbers = chosen(fun, parameters)
    return jax.tree.map(np.asarray, at_once(searched, search, which, np.asarray(step0, WIDE), numbers))


def find(search: tw.line_search.LineSearch, fun: Callable, step0: float = 1.0, parameters: Any = 0.0) -> Found:
    """What the search finds, as NumPy numbers; the evaluation returned is that of the step returned."""
    found = find_unmeasured(search, fun, step0, parameters)
    value, slope = value_and_slope(fun, found.step, parameters)
    np.testing.assert_array_equal(found.phi.seen.x, found.step)
    np.testing.assert_allclose(found.phi.value, value, rtol=10 * EPS)
    np.testing.assert_allclose(found.phi.slope, slope, rtol=1e-6, atol=1e3 * EPS * abs(value))
    return found


def start(fun: Callable, parameters: Any = 0.0) -> tuple[float, float]:
    """Value and slope at 0."""
    return value_and_slope(fun, 0.0, parameters)


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
    b1, b2, _ = parameters

    def gamma(b):
        return jnp.sqrt(1 + b**2) - b

    return gamma(b1) * jnp.sqrt((1 - t) ** 2 + b2**2) + gamma(b2) * jnp.sqrt(t**2 + b1**2)


def nan_wall(t, parameters):
    """A parabola with its minimum at 1, not defined from the wall on."""
    return jnp.where(t < parameters[0], (t - 1) ** 2, jnp.nan)


def infinite_wall(t, parameters):
    """The same with an infinite value there."""
    return jnp.where(t < parameters[0], (t - 1) ** 2, jnp.inf)


def log_wall(t, parameters):
    """A barrier: the function goes to infinity at the wall and is NaN beyond."""
    return -t - 0.1 * jnp.log(parameters[0] - t)


def downhill(t, parameters):
    """Falls without end."""
    return -((1 + t) ** parameters[0])


def exponential(t, _):
    """Falls without end, and soon to -inf."""
    return -jnp.exp(t)


def misled(t, _):
    """Slope -1, value rising: a wrong gradient."""
    return 1 + t + 2 * (jax.lax.stop_gradient(t) - t)


def hill(t, parameters):
    """Minimum at 0.6, a hill of height 20 around 3, flat beyond it."""
    return parameters[0] + 20 * jnp.exp(-((t - 3) ** 2)) - 2.4 * jnp.exp(-((t - 0.6) ** 2))


FAMILY = (
    parabola,
    more_thuente_1,
    more_thuente_2,
    more_thuente_3,
    yanai,
    nan_wall,
    infinite_wall,
    log_wall,
    downhill,
    exponential,
    misled,
    hill,
)
