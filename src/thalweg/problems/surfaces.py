"""Surfaces from textbooks with their critical points."""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from thalweg.core.problem import Problem
from thalweg.problems.known import Critical, Known


def bowl() -> Known:
    r"""A round bowl: the simplest strongly convex function.

    \(x^2 + y^2\); minimum 0 at 0.
    """

    def round_bowl(x):
        return x[0] ** 2 + x[1] ** 2

    lowest = Critical((0.0, 0.0), "minimum", 0)
    return Known(Problem(round_bowl), np.array([2.0, 1.0]), 0.0, np.zeros(2), 2.0, 2.0, critical=(lowest,))


def saddle() -> Known:
    r"""A saddle: on the line y = 0 gradient descent converges to it, from any other start it diverges past it.

    \(x^2 - y^2\).
    """

    def horse(x):
        return x[0] ** 2 - x[1] ** 2

    return Known(Problem(horse), np.array([1.0, 0.1]), -math.inf, critical=(Critical((0.0, 0.0), "saddle", 1),))


def waves() -> Known:
    r"""An egg box: alternating minima, maxima and saddles.

    \(\sin x \sin y\); minimum -1 at \((\pi/2, -\pi/2)\) and its images under shifts by \((\pi, \pi)\),
    \((\pi, -\pi)\); saddles wherever both are multiples of \(\pi\).
    """

    def egg_box(x):
        return jnp.sin(x[0]) * jnp.sin(x[1])

    half = math.pi / 2
    critical = (
        Critical((half, -half), "minimum", 0),
        Critical((-half, half), "minimum", 0),
        Critical((half, half), "maximum", 2),
        Critical((-half, -half), "maximum", 2),
        Critical((0.0, 0.0), "saddle", 1),
        Critical((math.pi, 0.0), "saddle", 1),
    )
    return Known(Problem(egg_box), np.array([1.0, -0.5]), -1.0, np.array([half, -half]), critical=critical)


def cubic() -> Known:
    r"""A cubic in one variable: its local minimum is not global, because it is unbounded below.

    \(-x^3 + 3x\); a minimum -2 at -1, a maximum 2 at 1, and beyond 2 values below the minimum.
    """

    def dent(x):
        return -(x[0] ** 3) + 3.0 * x[0]

    critical = (Critical((-1.0,), "minimum", 0), Critical((1.0,), "maximum", 1))
    return Known(Problem(dent), np.zeros(1), -math.inf, critical=critical)


def plane() -> Known:
    r"""An inclined plane: no critical point and no minimum.

    \(-x - 2y\).
    """

    def inclined(x):
        return -x[0] - 2.0 * x[1]

    return Known(Problem(inclined), np.zeros(2), -math.inf)


def ellipse(gamma: float = 10.0) -> Known:
    r"""An elliptic bowl, with the start from which steepest descent with exact line search has its worst rate.

    \(\tfrac12(x^2 + \gamma y^2)\) from \((\gamma, 1)\): each exact step multiplies the value by
    \(((\gamma-1)/(\gamma+1))^2\).

    - `gamma`: \(\gamma\) > 0, the condition number if it is at least 1.
    """
    if not 0 < gamma < math.inf:
        raise ValueError(f"gamma={gamma}: give a positive number.")

    def elliptic(x):
        return 0.5 * (x[0] ** 2 + gamma * x[1] ** 2)

    start, curvature = np.array([gamma, 1.0]), (max(gamma, 1.0), min(gamma, 1.0))
    return Known(Problem(elliptic), start, 0.0, np.zeros(2), *curvature, critical=(Critical((0.0, 0.0), "minimum", 0),))


def monkey_saddle() -> Known:
    r"""The monkey saddle: three valleys meet three ridges, and the Hessian vanishes at the critical point.

    \(x^3 - 3xy^2\).
    """

    def monkey(x):
        return x[0] ** 3 - 3.0 * x[0] * x[1] ** 2

    critical = (Critical((0.0, 0.0), "degenerate saddle", 0),)
    return Known(Problem(monkey), np.array([1.0, 0.1]), -math.inf, critical=critical)


def quartic() -> Known:
    r"""A quartic: the second derivative vanishes at the minimum, so Newton's method converges only linearly.

    \(x^4\); minimum 0 at 0.
    """

    def fourth_power(x):
        return x[0] ** 4

    lowest = Critical((0.0,), "degenerate minimum", 0)
    return Known(Problem(fourth_power), np.ones(1), 0.0, np.zeros(1), critical=(lowest,))


SURFACES: dict[str, Callable[[], Known]] = {
    "bowl": bowl,
    "saddle": saddle,
    "waves": waves,
    "cubic": cubic,
    "plane": plane,
    "ellipse": ellipse,
    "monkey-saddle": monkey_saddle,
    "quartic": quartic,
}
"""Name on the command line -> surface; the minimum of some is -inf."""
