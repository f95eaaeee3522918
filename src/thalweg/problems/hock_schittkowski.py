r"""Constrained problems of Hock & Schittkowski 1981, doi:10.1007/978-3-642-48320-2, with their solutions.

Their inequalities are written as \(c(x) \le 0\).
"""

import jax.numpy as jnp
import numpy as np

from thalweg.core.bounds import Bounds
from thalweg.core.problem import Problem
from thalweg.problems.known import Known


def hs6() -> Known:
    r"""HS 6: a nonlinear equality that the unconstrained minimum satisfies.

    \((1-x_1)^2\) with \(10(x_2-x_1^2) = 0\); minimum 0 at (1, 1).
    """

    def square(x):
        return (1.0 - x[0]) ** 2

    def parabola(x):
        return 10.0 * (x[1:] - x[0] ** 2)

    return Known(Problem(square, equality=parabola, allow_unused=True), np.array([-1.2, 1.0]), 0.0, np.ones(2))


def hs7() -> Known:
    r"""HS 7: an equality of degree four.

    \(\ln(1+x_1^2) - x_2\) with \((1+x_1^2)^2 + x_2^2 = 4\); minimum \(-\sqrt3\) at \((0, \sqrt3)\).
    """

    def logarithm(x):
        return jnp.log1p(x[0] ** 2) - x[1]

    def level(x):
        return (1.0 + x[:1] ** 2) ** 2 + x[1:] ** 2 - 4.0

    best = np.array([0.0, np.sqrt(3.0)])
    return Known(Problem(logarithm, equality=level), np.array([2.0, 2.0]), -float(np.sqrt(3.0)), best)


def hs21() -> Known:
    r"""HS 21: a linear inequality and bounds, one of which is active.

    \(0.01x_1^2 + x_2^2 - 100\) with \(10x_1 - x_2 \ge 10\), \(2 \le x_1 \le 50\), \(|x_2| \le 50\); minimum -99.96
    at (2, 0).
    """

    def bowl(x):
        return 0.01 * x[0] ** 2 + x[1] ** 2 - 100.0

    def line(x):
        return 10.0 - 10.0 * x[:1] + x[1:]

    bounds = Bounds(np.array([2.0, -50.0]), np.array([50.0, 50.0]))
    problem = Problem(bowl, inequality=line, bounds=bounds)
    return Known(problem, np.array([-1.0, -1.0]), -99.96, np.array([2.0, 0.0]))


def hs28() -> Known:
    r"""HS 28: a quadratic with a linear equality.

    \((x_1+x_2)^2 + (x_2+x_3)^2\) with \(x_1+2x_2+3x_3 = 1\); minimum 0 at (0.5, -0.5, 0.5).
    """

    def squares(x):
        return (x[0] + x[1]) ** 2 + (x[1] + x[2]) ** 2

    def plane(x):
        return x[:1] + 2.0 * x[1:2] + 3.0 * x[2:] - 1.0

    return Known(Problem(squares, equality=plane), np.array([-4.0, 1.0, 1.0]), 0.0, np.array([0.5, -0.5, 0.5]))


def hs35() -> Known:
    r"""HS 35 (Beale): a quadratic with a linear inequality and bounds.

    \(9 - 8x_1 - 6x_2 - 4x_3 + 2x_1^2 + 2x_2^2 + x_3^2 + 2x_1x_2 + 2x_1x_3\) with
    \(x_1+x_2+2x_3 \le 3\), \(x \ge 0\); minimum 1/9 at (4/3, 7/9, 4/9), where the first is active.
    """

    def beale_quadratic(x):
        u, v, w = x[0], x[1], x[2]
        linear = 9.0 - 8.0 * u - 6.0 * v - 4.0 * w
        return linear + 2.0 * u**2 + 2.0 * v**2 + w**2 + 2.0 * u * v + 2.0 * u * w

    def plane(x):
        return x[:1] + x[1:2] + 2.0 * x[2:] - 3.0

    problem = Problem(beale_quadratic, inequality=plane, bounds=Bounds(0.0))
    return Known(problem, np.full(3, 0.5), 1 / 9, np.array([4 / 3, 7 / 9, 4 / 9]))


def hs48() -> Known:
    r"""HS 48: a sum of squares with two linear equalities.

    \((x_1-1)^2 + (x_2-x_3)^2 + (x_4-x_5)^2\) with \(\sum x_i = 5\), \(x_3 - 2(x_4+x_5) = -3\); minimum 0 at ones.
    """

    def squares(x):
        return (x[0] - 1.0) ** 2 + (x[1] - x[2]) ** 2 + (x[3] - x[4]) ** 2

    def planes(x):
        return jnp.stack([jnp.sum(x) - 5.0, x[2] - 2.0 * (x[3] + x[4]) + 3.0])

    return Known(Problem(squares, equality=planes), np.array([3.0, 5.0, -3.0, 2.0, -2.0]), 0.0, np.ones(5))


def hs71() -> Known:
    r"""HS 71: an equality, an inequality and bounds, all of which matter at the minimum.

    \(x_1x_4(x_1+x_2+x_3)+x_3\) with \(x_1x_2x_3x_4 \ge 25\), \(\|x\|^2 = 40\), \(1 \le x \le 5\); minimum 17.0140173.
    """

    def cubic(x):
        return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]

    def sphere(x):
        return jnp.sum(x**2) - 40.0

    def product(x):
        return 25.0 - jnp.prod(x)

    # To machine precision, by Newton's method on the KKT system with x_1 = 1 fixed.
    best = np.array([1.0, 4.742999637264417, 3.8211499841848737, 1.3794082931726723])
    problem = Problem(cubic, equality=sphere, inequality=product, bounds=Bounds(1.0, 5.0))
    return Known(problem, np.array([1.0, 5.0, 5.0, 1.0]), 17.0140172891563, best)
