"""The 35 problems in as many programs as they have numbers of variables: nearly all of their time is compiling."""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from tests.helpers import at_once
from thalweg.problems import MGH

CASES = {name: make() for name, make in MGH.items()}


class OneOf(eqx.Module):
    """One of the sums of squares of so many variables. Which one is traced."""

    which: np.ndarray
    variables: int = eqx.field(static=True)

    def __call__(self, x):
        """The value of the one."""
        branches = [CASES[name].problem.objective.value for name in with_variables(self.variables)]
        return jax.lax.switch(self.which, branches, x)


class ResidualsOfOne(eqx.Module):
    """Its residuals, and zeros up to the largest number of them."""

    which: np.ndarray
    variables: int = eqx.field(static=True)

    def __call__(self, x):
        """The residuals of the one."""
        fits = [CASES[name].fit.objective.residual for name in with_variables(self.variables)]
        most = max(jax.eval_shape(fit, x).size for fit in fits)
        return jax.lax.switch(self.which, [functools.partial(padded, fit, most) for fit in fits], x)


def padded(residual, size, x):
    """Zeros add nothing to a sum of squares."""
    found = residual(x)
    return jnp.pad(found, (0, size - found.size))


@functools.cache
def with_variables(number):
    """The problems of so many variables."""
    return [name for name, case in CASES.items() if len(case.x0) == number]


@functools.cache
def posed(name):
    """The sum of squares, and the least-squares fit."""
    n = len(CASES[name].x0)
    which = np.asarray(with_variables(n).index(name), np.int32)
    return tw.Problem(OneOf(which, n)), tw.Problem(tw.LeastSquares(ResidualsOfOne(which, n)))


def grouped(problems, prefix=""):
    """Pairs of a name by which one process gets all tests of a program, and a problem."""
    return [(f"{prefix}{len(CASES[problem].x0)} variables", problem) for problem in problems]


class Seen(NamedTuple):
    """What is measured of a problem at a point."""

    value: np.ndarray
    grad: np.ndarray
    half: np.ndarray
    residual: np.ndarray
    jacobian: np.ndarray


def seen_at(name, x) -> Seen:
    """Value and gradient as a sum of squares; value, residuals and Jacobian as a least-squares fit."""
    names = with_variables(len(x))
    seen = Seen(*map(np.asarray, at_once(seen_of_one, np.asarray(names.index(name), np.int32), x)))
    m = residuals_of(name)
    return seen._replace(residual=seen.residual[:m], jacobian=seen.jacobian[:m])


def seen_of_one(which, x):
    """See `seen_at`: of the one."""
    names = with_variables(len(x))
    most = max(residuals_of(name) for name in names)
    return jax.lax.switch(which, [functools.partial(seen_of, CASES[name], most) for name in names], x)


def seen_of(case, most, x):
    """See `seen_at`."""
    residual = case.fit.objective.residual
    parts = padded(residual, most, x), jax.jacfwd(functools.partial(padded, residual, most))(x)
    return *jax.value_and_grad(case.problem.value)(x), case.fit.value(x), *parts


@functools.cache
def residuals_of(name) -> int:
    """How many."""
    case = CASES[name]
    return jax.eval_shape(case.fit.objective.residual, case.x0).size
