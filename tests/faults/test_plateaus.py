"""Fits of exponentials, whose far side is a plateau: a first step that is too long ends where the gradient is zero.

A gradient test alone calls that a success. Here the run must reach the minimum, or not say CONVERGED.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.faults.chosen import chosen
from tests.helpers import sampled, tol

TIMES = np.linspace(0.0, 10.0, 21)
NAMES = [name for name in ("lbfgs", "bfgs", "newton-cg", "trust-region") if name in tw.METHODS]


def decay(x, _=None):
    """exp(-t) from a rate of the wrong sign: the gradient at the start is of order e^40, and 0 at large rates."""
    t = jnp.asarray(TIMES, x.dtype)
    return jnp.sum((jnp.exp(-t * x[0]) - jnp.exp(-t)) ** 2)


def amplitude(x, _=None):
    """2 exp(-t / 2) with a free amplitude: at large rates all residuals but the first are constant."""
    t = jnp.asarray(TIMES, x.dtype)
    return jnp.sum((x[0] * jnp.exp(-t * x[1]) - 2 * jnp.exp(-t / 2)) ** 2)


def saturated(x, _=None):
    """A logistic curve fitted to itself: far to either side it is flat."""
    t = jnp.asarray(TIMES, x.dtype)
    return jnp.sum((1 / (1 + jnp.exp(x[0] * (t - 5.0))) - 1 / (1 + jnp.exp(-1.5 * (t - 5.0)))) ** 2)


ALIKE = {decay: (decay, saturated), saturated: (decay, saturated), amplitude: (amplitude,)}
"""Those of as many variables: one program."""
CASES = {"decay": (decay, [-2.0]), "amplitude": (amplitude, [1.0, -1.0]), "saturated": (saturated, [0.5])}


@pytest.mark.parametrize("name", sampled(NAMES, ["lbfgs", "newton-cg"]))
@pytest.mark.parametrize("case", sampled(CASES, ["decay", "saturated"]))
def test_a_plateau_is_not_a_solution(case, name):
    fun, x0 = CASES[case]
    result = tw.minimize(chosen(ALIKE[fun], fun), np.asarray(x0), tw.METHODS[name].solver(""), on_failure="ignore")
    solved = result.value <= tol(1e-8, 1e-4)
    assert solved or result.status is not tw.Status.CONVERGED


def test_the_unscaled_step_would_land_on_the_plateau():
    """What the others do: from the start along the whole negative gradient, where the gradient is exactly 0."""
    x0 = np.asarray(CASES["decay"][1], jnp.result_type(float))
    both = jax.jit(jax.value_and_grad(decay))
    gradient = np.asarray(both(x0)[1])
    value, beyond = both(x0 - gradient)
    assert float(gradient[0]) < -1e10
    assert (float(np.abs(beyond).max()), float(value) > 0.1) == (0.0, True)
