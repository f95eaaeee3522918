"""Step sizes from curvature: the optimal step along the negative gradient, and the gradient's Lipschitz constant."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.compiled import program
from thalweg.core.problem import Problem
from thalweg.core.tree import axpy, common_dtype, dot, norm, ravel, scaled, unravel
from thalweg.core.types import Evaluation, Key, Params, Scalar
from thalweg.core.variables import check_start, split

_POWER_ITERATIONS = 100
"""The number of power iterations; the error is a few percent where the largest eigenvalues are close together."""


class OptimalStep(NamedTuple):
    r"""The optimal step size along the negative gradient for the quadratic model at a point; printing it explains it.

    - `step`: \(g'g/g'Hg\); NaN if \(g'Hg \le 0\), because the model is then unbounded below along \(-g\), or if
      \(g = 0\).
    - `curvature`: \(g'Hg/g'g\), the curvature along the gradient.
    - `largest`: an estimate of \(\lambda_{\max}\), the largest eigenvalue of \(H\).
    - `worst`: \(1/\lambda_{\max}\), the smallest value that `step` has for any gradient; NaN if
      \(\lambda_{\max} \le 0\).
    - `value`: \(f\) at the point. `predicted`: the value of the model after the step; -inf if it is unbounded below.
    - `maximize`: whether \(f\) is maximized. Then the step goes along \(+g\), the curvatures are those of \(-f\), and
      `value` and `predicted` are those of \(f\); `predicted` is +inf if the model is unbounded above.
    """

    step: float
    curvature: float
    largest: float
    worst: float
    value: float
    predicted: float
    maximize: bool = False

    def __str__(self) -> str:
        lowers, below, down = ("raises", "above", "+g") if self.maximize else ("lowers", "below", "-g")
        if math.isnan(self.curvature):
            return "Optimal step: none, because the gradient is 0 here."
        if not self.curvature > 0:
            first = f"Optimal step: none, g'Hg/g'g = {self.curvature:.3g} <= 0: the model is unbounded {below} along "
            first += f"{down}."
        else:
            first = f"Optimal step: g'g/g'Hg = {self.step:.4g}. The model predicts that it {lowers} the value from "
            first += f"{self.value:.6g} to {self.predicted:.6g}."
        if not self.worst > 0:
            return (
                f"{first}\nThe largest eigenvalue of the Hessian is {self.largest:.3g}: no direction limits the step."
            )
        return f"{first}\nIn the direction of largest curvature it would be 1/lambda_max = {self.worst:.4g}."

    __repr__ = __str__


class Smoothness(NamedTuple):
    r"""An estimate of \(L\), the Lipschitz constant of the gradient, near a point; printing it explains it.

    - `constant`: the larger of `at_point` and `secant`, which both are lower bounds of \(L\).
    - `at_point`: the largest absolute eigenvalue of the Hessian at the point.
    - `secant`: the largest \(\|\nabla f(y)-\nabla f(z)\|/\|y-z\|\) over random pairs.
    - `step`: \(1/L\). `limit`: \(2/L\); a constant learning rate must stay *strictly* below it.
    - `tested`: the \(L\) of the bound \(f(y) \le f(z) + \nabla f(z)'(y-z) + \tfrac L2\|y-z\|^2\) that was checked on
      `trials` pairs within `radius` of the point.
    - `counterexample`: the pair \((z, y)\) that violates the bound most, None if none does. `excess`: by how much.
    """

    constant: float
    at_point: float
    secant: float
    step: float
    limit: float
    tested: float
    trials: int
    radius: float
    counterexample: tuple[Params, Params] | None
    excess: float

    def __str__(self) -> str:
        where = f"within {self.radius:.3g} of the point"
        if self.constant == 0:
            return f"L is 0 {where}: the function is linear there, so any step size lowers it."
        first = f"L is at least {self.constant:.4g} {where}. Use a step size of 1/L = {self.step:.4g}, and none of "
        first += f"2/L = {self.limit:.4g} or more, with which a quadratic does not converge."
        bound = f"The quadratic upper bound with L = {self.tested:.4g}"
        if self.counterexample is None:
            return f"{first}\n{bound} was not refuted in {self.trials} trials."
        return f"{first}\n{bound} is refuted by {self.excess:.3g} at `counterexample`."

    __repr__ = __str__


def optimal_step(problem: Problem | Callable, x: Params) -> OptimalStep:
    r"""Computes the step size along \(-\nabla f(x)\) that minimizes the quadratic model: \(g'g/g'Hg\).

    - `problem`: a `tw.Problem`, of which only the smooth part is used, or a function of `x`. Of a problem with
      `maximize=True` the step goes along \(+\nabla f(x)\), and the model's maximum is meant.
    - `x`: the point, a tree like the one that `tw.minimize` was given.

    This computes one gradient and two hundred Hessian-vector products. The largest eigenvalue comes from power
    iteration, which is accurate to a percent unless the largest eigenvalues are close together.

    **References** Cauchy 1847; Boyd & Vandenberghe 2004, section 9.3.
    """
    problem, variables = _problem_and_variables(problem, x)
    found, dynamic = program(_local_curvature, problem, variables)
    value, curvature, _, largest, square = (float(number) for number in found.call(dynamic))
    if not curvature > 0:
        step, predicted = math.nan, value if math.isnan(curvature) else -math.inf
    else:
        step, predicted = 1 / curvature, value - 0.5 * square / curvature
    worst, sign = 1 / largest if largest > 0 else math.nan, problem.sign
    return OptimalStep(step, curvature, largest, worst, sign * value, sign * predicted, sign < 0)


def smoothness(
    problem: Problem | Callable,
    x: Params,
    constant: float | None = None,
    *,
    radius: float = 1.0,
    trials: int = 100,
    seed: int = 0,
) -> Smoothness:
    r"""Estimates the Lipschitz constant \(L\) of the gradient near `x`, and checks the quadratic upper bound.

    - `problem`: a `tw.Problem`, of which only the smooth part is used, or a function of `x`.
    - `x`: the point, a tree like the one that `tw.minimize` was given.
    - `constant`: the \(L\) of the bound that is checked; None for the estimate.
    - `radius`: the radius of the ball around `x` from which pairs of points are drawn, > 0.
    - `trials`: the number of pairs, >= 1. `seed`: the seed of their random numbers.

    An estimate from points is a lower bound of \(L\). If no pair refutes the quadratic upper bound, that does not prove
    it for other points.

    **References** Nesterov 2018, doi:10.1007/978-3-319-91578-4, section 1.2.2.
    """
    _check_smoothness(constant, radius, trials)
    problem, variables = _problem_and_variables(problem, x)
    found, dynamic = program(_local_curvature, problem, variables)
    at_point = float(found.call(dynamic).size)
    pairs, dynamic = program(
        _SampledPairs(trials), problem, variables, jnp.asarray(radius, float), jax.random.key(seed)
    )
    z, y, quotient, remainder, rounding = (np.asarray(part) for part in pairs.call(dynamic))
    secant = float(np.max(quotient, initial=0.0, where=np.isfinite(quotient)))
    largest = max(at_point, secant)
    tested = largest if constant is None else float(constant)
    # The remainder f(y) - f(z) - g'(y - z) may be at most L/2 |y - z|^2.
    excess = remainder - 0.5 * tested * np.sum((y - z) ** 2, axis=1) * (1 + 1e-6)
    worst = int(np.argmax(np.where(np.isfinite(excess), excess - rounding, -np.inf)))
    refuted = excess[worst] > rounding[worst]
    example = tuple(unravel(jnp.asarray(side[worst]), variables) for side in (z, y)) if refuted else None
    inverse = 1 / largest if largest > 0 else math.inf
    over = float(excess[worst]) if refuted else 0.0
    return Smoothness(largest, at_point, secant, inverse, 2 * inverse, tested, trials, float(radius), example, over)


def _check_smoothness(constant: Any, radius: Any, trials: Any) -> None:
    """Checks the numbers that `smoothness` is given."""
    for name, value in (("constant", constant), ("radius", radius)):
        if name == "constant" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float, np.floating)) or not 0 < value < math.inf:
            raise ValueError(f"smoothness({name}={value!r}): {name} must be a finite number > 0.")
    if isinstance(trials, bool) or not isinstance(trials, (int, np.integer)) or trials < 1:
        raise ValueError(f"smoothness(trials={trials!r}): trials must be a whole number >= 1.")


def _problem_and_variables(problem: Problem | Callable, x: Params) -> tuple[Problem, Params]:
    """Returns the problem as a function of its variables, and the variables at `x`."""
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    variables, frozen = split(check_start(x))
    return problem.training(frozen), jax.tree.map(jnp.asarray, variables)


class _LocalCurvature(NamedTuple):
    """Value, curvature along the gradient, largest |eigenvalue|, largest eigenvalue, squared norm of the gradient."""

    value: Scalar
    curvature: Scalar
    size: Scalar
    largest: Scalar
    square: Scalar


def _local_curvature(problem: Problem, x: Params) -> _LocalCurvature:
    """Computes value, curvature along the gradient, and extreme eigenvalues of the Hessian at a point."""
    seen = problem.objective.evaluate(x)
    hessian = problem.objective.hessian(x)
    size = norm(seen.grad)
    unit = scaled(1 / jnp.where(size > 0, size, 1), seen.grad)
    curvature = jnp.where(size > 0, dot(unit, hessian(unit)), jnp.nan)
    dtype = common_dtype(x)

    def powers(shift):
        """Estimates the norm of `H + shift I` from below by power iteration."""

        def power(_, carry):
            v, _ = carry
            w = ravel(hessian(unravel(v, x))).astype(dtype) + shift * v
            length = norm(w)
            return jnp.where(length > 0, w / jnp.where(length > 0, length, 1), v), length

        v = jax.random.normal(jax.random.key(0), ravel(x).shape, dtype)
        return jax.lax.fori_loop(0, _POWER_ITERATIONS, power, (v / norm(v), jnp.zeros((), dtype)))[1]

    size_of_hessian = powers(jnp.zeros((), dtype))
    largest = powers(size_of_hessian) - size_of_hessian  # with the shift no eigenvalue is negative
    return _LocalCurvature(seen.value, curvature, size_of_hessian, largest, size**2)


class _SampledPairs(NamedTuple):
    """A program that draws pairs of points from a ball, at all distances, and compares the function at both."""

    trials: int

    def __call__(self, problem: Problem, x: Params, radius: Scalar, key: Key) -> tuple[jax.Array, ...]:
        """Returns `z`, `y`, the secant quotients, `f(y) - f(z) - g(z)'(y - z)`, and the rounding error of that."""
        center = ravel(x)
        eps = jnp.finfo(center.dtype).eps

        def one(key):
            keys = jax.random.split(key, 3)
            z = center + _uniform_in_ball(keys[0], center, radius)
            nearness = jax.random.uniform(keys[2], (), center.dtype, 1e-3, 1.0)
            y = z + nearness * (center + _uniform_in_ball(keys[1], center, radius) - z)
            here, there = (problem.objective.evaluate(unravel(side, x)) for side in (z, y))
            quotient = norm(_gradient_difference(there, here)) / norm(y - z)
            remainder = there.value - here.value - ravel(here.grad).astype(center.dtype) @ (y - z)
            rounding = 8 * eps * (jnp.abs(there.value) + jnp.abs(here.value) + jnp.abs(remainder))
            return z, y, quotient, remainder, rounding

        return jax.lax.map(one, jax.random.split(key, self.trials))


def _uniform_in_ball(key: Key, center: jax.Array, radius: Scalar) -> jax.Array:
    """Draws a point uniformly from the ball around 0: a random direction, and a length distributed by volume."""
    first, second = jax.random.split(key)
    direction = jax.random.normal(first, center.shape, center.dtype)
    length = jax.random.uniform(second, (), center.dtype) ** (1 / max(center.size, 1))
    return radius.astype(center.dtype) * length * direction / norm(direction)


def _gradient_difference(there: Evaluation, here: Evaluation) -> Params:
    """Returns the difference of two gradients."""
    return axpy(-1.0, here.grad, there.grad)
