r"""Bounded problems of Hock & Schittkowski 1981, doi:10.1007/978-3-642-48320-2, with their solutions."""

import math

import jax.numpy as jnp
import numpy as np

from thalweg.core.bounds import Bounds
from thalweg.core.problem import Problem
from thalweg.problems.known import Known


def _rosenbrock_2d(x):
    """Rosenbrock's function of two variables."""
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def hs1() -> Known:
    r"""HS 1: Rosenbrock's function with a bound that is inactive at the minimum.

    \(x_2 \ge -1.5\); minimum 0 at (1, 1).
    """
    bounds = Bounds(np.array([-np.inf, -1.5]), np.inf)
    return Known(Problem(_rosenbrock_2d, bounds=bounds), np.array([-2.0, 1.0]), 0.0, np.ones(2))


def hs2() -> Known:
    r"""HS 2: Rosenbrock's function with an active bound and an infeasible start.

    \(x_2 \ge 1.5\); two local minima, the lower one by Cardano's formula: \(2ax_1^2\) for
    \(x_1 = 2a\cos(\tfrac13\arccos\tfrac1b)\), \(a = \sqrt{598/1200}\), \(b = 400a^3\).
    """
    a = math.sqrt(598 / 1200)
    u = 2 * a * math.cos(math.acos(1 / (400 * a**3)) / 3)
    minimum = 100 * (1.5 - u**2) ** 2 + (1 - u) ** 2
    bounds = Bounds(np.array([-np.inf, 1.5]), np.inf)
    return Known(Problem(_rosenbrock_2d, bounds=bounds), np.array([-2.0, 1.0]), minimum, np.array([u, 1.5]))


def hs3() -> Known:
    r"""HS 3: a nearly linear function, which a bound makes bounded below.

    \(x_2 + 10^{-5}(x_2-x_1)^2\) with \(x_2 \ge 0\); minimum 0 at (0, 0).
    """

    def slope(x):
        return x[1] + 1e-5 * (x[1] - x[0]) ** 2

    bounds = Bounds(np.array([-np.inf, 0.0]), np.inf)
    return Known(Problem(slope, bounds=bounds), np.array([10.0, 1.0]), 0.0, np.zeros(2))


def hs4() -> Known:
    r"""HS 4: a cubic with the minimum in a corner of the box.

    \(\tfrac13(x_1+1)^3 + x_2\) with \(x_1 \ge 1\), \(x_2 \ge 0\); minimum 8/3 at (1, 0).
    """

    def cubic(x):
        return (x[0] + 1.0) ** 3 / 3.0 + x[1]

    bounds = Bounds(np.array([1.0, 0.0]), np.inf)
    return Known(Problem(cubic, bounds=bounds), np.array([1.125, 0.125]), 8 / 3, np.array([1.0, 0.0]))


def hs5() -> Known:
    r"""HS 5 (McCormick): a sine plus a quadratic, with one local minimum in the box.

    \(\sin(x_1+x_2) + (x_1-x_2)^2 - 1.5x_1 + 2.5x_2 + 1\) with \(-1.5 \le x_1 \le 4\), \(-3 \le x_2 \le 3\); minimum
    \(-\sqrt3/2 - \pi/3\).
    """

    def wave(x):
        return jnp.sin(x[0] + x[1]) + (x[0] - x[1]) ** 2 - 1.5 * x[0] + 2.5 * x[1] + 1.0

    bounds = Bounds(np.array([-1.5, -3.0]), np.array([4.0, 3.0]))
    best = np.array([0.5, -0.5]) - math.pi / 3
    return Known(Problem(wave, bounds=bounds), np.zeros(2), -math.sqrt(3) / 2 - math.pi / 3, best)


def hs25() -> Known:
    r"""HS 25 (Gulf): a fit that is flat at its start and not defined outside the bounds.

    \(\sum_{i=1}^{99} (e^{-(u_i-x_2)^{x_3}/x_1} - i/100)^2\) with \(u_i = 25 + (-50\ln(i/100))^{2/3}\),
    \(0.1 \le x_1 \le 100\), \(0 \le x_2 \le 25.6\), \(0 \le x_3 \le 5\); minimum 0 at (50, 25, 1.5).
    """
    i = np.arange(1, 100) / 100
    u = 25 + (-50 * np.log(i)) ** (2 / 3)

    def misfit(x):
        power = (jnp.asarray(u, x.dtype) - x[1]) ** x[2]
        return jnp.sum((jnp.exp(-power / x[0]) - jnp.asarray(i, x.dtype)) ** 2)

    bounds = Bounds(np.array([0.1, 0.0, 0.0]), np.array([100.0, 25.6, 5.0]))
    return Known(Problem(misfit, bounds=bounds), np.array([100.0, 12.5, 3.0]), 0.0, np.array([50.0, 25.0, 1.5]))


def hs38() -> Known:
    r"""HS 38 (Colville, Wood): two coupled curved valleys in a wide box.

    \(100(x_2-x_1^2)^2 + (1-x_1)^2 + 90(x_4-x_3^2)^2 + (1-x_3)^2 + 10.1((x_2-1)^2+(x_4-1)^2) + 19.8(x_2-1)(x_4-1)\)
    with \(|x_i| \le 10\); minimum 0 at ones.
    """

    def valleys(x):
        p, q = x[1] - 1.0, x[3] - 1.0
        second = 90.0 * (x[3] - x[2] ** 2) ** 2 + (1.0 - x[2]) ** 2
        return _rosenbrock_2d(x) + second + 10.1 * (p**2 + q**2) + 19.8 * p * q

    start = np.array([-3.0, -1.0, -3.0, -1.0])
    return Known(Problem(valleys, bounds=Bounds(-10.0, 10.0)), start, 0.0, np.ones(4))


def hs45() -> Known:
    r"""HS 45: every upper bound is active at the minimum, and one entry of the start is infeasible.

    \(2 - x_1x_2x_3x_4x_5/120\) with \(0 \le x_i \le i\); minimum 1 at (1, 2, 3, 4, 5).
    """

    def product(x):
        return 2.0 - jnp.prod(x) / 120.0

    best = np.arange(1.0, 6.0)
    return Known(Problem(product, bounds=Bounds(0.0, best)), np.full(5, 2.0), 1.0, best)


def hs110() -> Known:
    r"""HS 110: logarithms that are not defined outside the bounds.

    \(\sum_i \ln^2(x_i-2) + \ln^2(10-x_i) - (\prod_i x_i)^{0.2}\) in ten variables with \(2.001 \le x_i \le 9.999\);
    all entries of the minimizer are equal; Newton's method finds their value.
    """

    def logarithms(x):
        return jnp.sum(jnp.log(x - 2.0) ** 2 + jnp.log(10.0 - x) ** 2) - jnp.prod(x) ** 0.2

    def slope(z):
        return 10 * (2 * math.log(z - 2) / (z - 2) - 2 * math.log(10 - z) / (10 - z)) - 2 * z

    z, tiny = 9.35, 1e-6
    for _ in range(20):
        z -= slope(z) * 2 * tiny / (slope(z + tiny) - slope(z - tiny))
    minimum = 10 * (math.log(z - 2) ** 2 + math.log(10 - z) ** 2) - z**2
    return Known(Problem(logarithms, bounds=Bounds(2.001, 9.999)), np.full(10, 9.0), minimum, np.full(10, z))
