"""Line searches, from their descriptions.

Armijo 1966; Nocedal & Wright 2006, algorithms 3.5 and 3.6; Hager & Zhang 2005, section 4.

`phi(t)` returns `(value, slope, whatever else)`.
"""

import math

EPS = 2.0**-52


def fell(phi0, phi, t, fraction):
    """Armijo's condition, or the same said by slopes where the fall is below rounding (Hager & Zhang 2005)."""
    if phi[0] - phi0[0] <= fraction * t * phi0[1]:
        return True
    rounded = abs(phi[0] - phi0[0]) <= 4 * EPS * abs(phi0[0])
    return rounded and phi[1] <= (2 * fraction - 1) * phi0[1]


def backtracking(phi, phi0, *, slope, decrease, max_trials, interpolate=False, first=1.0):
    """`(step, phi(step))` of the first step that fell enough, None if none of `max_trials` did."""
    t = first
    for _ in range(max_trials):
        here = phi(t)
        if fell(phi0, here, t, slope):
            return t, here
        # Formula 3.58 of Nocedal & Wright: the minimum of the parabola through two values and a slope.
        parabola = -phi0[1] * t**2 / (2 * (here[0] - phi0[0] - phi0[1] * t))
        t = min(max(parabola, min(0.1, decrease) * t), decrease * t) if interpolate else decrease * t
    return None


def strong_wolfe(phi, phi0, *, slope, curvature, max_trials, max_step=math.inf):
    """`(step, phi(step))` with enough decrease and a flat slope, or the best step found; None if there is none.

    No step is longer than `max_step`.
    """
    noise = 4 * EPS * abs(phi0[0])
    low, at_low, high, at_high = 0.0, phi0, math.inf, None
    t = min(1.0, max_step)
    for _ in range(max_trials):
        here = phi(t)
        finite = math.isfinite(here[0]) and math.isfinite(here[1])
        if not finite or not fell(phi0, here, t, slope) or here[0] > at_low[0] + noise:
            high, at_high = t, here
        else:
            if (here[1] >= 0) if high > low else (here[1] <= 0):
                high, at_high = low, at_low
            low, at_low = t, here
            if abs(here[1]) <= curvature * abs(phi0[1]):
                break
        t = min(following(low, at_low, high, at_high), max_step)
        if t == low:
            break
    return (low, at_low) if low > 0 else None


def following(low, at_low, high, at_high):
    """Ten times as far without a bracket, a quarter of the way to a wall, else the cubic's minimum kept inside."""
    if at_high is None:
        return 10 * low
    if not math.isfinite(at_high[0]) or not math.isfinite(at_high[1]):
        return low + 0.25 * (high - low)
    t = cubic_minimum(low, at_low, high, at_high)
    return low + min(max((t - low) / (high - low), 0.1), 0.9) * (high - low)


def cubic_minimum(a, at_a, b, at_b):
    """Formula 3.59 of Nocedal & Wright: the minimum of the cubic through two values and two slopes."""
    d1 = at_a[1] + at_b[1] - 3 * (at_a[0] - at_b[0]) / (a - b)
    d2 = math.copysign(math.sqrt(max(d1**2 - at_a[1] * at_b[1], 0.0)), b - a)
    bottom = at_b[1] - at_a[1] + 2 * d2
    return b - (b - a) * (at_b[1] + d2 - d1) / bottom if bottom != 0 else (a + b) / 2


class Done(Exception):
    """A step that satisfies the conditions, thrown from where it was found."""


def hager_zhang(phi, phi0, *, slope, curvature, bisection, shrink, expansion, max_trials, first=1.0):
    """`(step, phi(step))` with the Wolfe conditions or the approximate ones; None if none of `max_trials` has them."""
    limit, count = phi0[0] + 4 * EPS * abs(phi0[0]), 0

    def look(t):
        nonlocal count
        count += 1
        here = phi(t)
        wolfe = here[0] - phi0[0] <= slope * t * phi0[1] or (here[1] <= (2 * slope - 1) * phi0[1] and here[0] <= limit)
        if wolfe and here[1] >= curvature * phi0[1]:
            raise Done(t, here)
        if count == max_trials:
            raise Done
        return here

    def between(a, b):
        """U3: a has a negative slope and a value that did not rise, the value at b rose."""
        while True:
            d = ((1 - bisection) * a[0] + bisection * b, 0.0)
            here = look(d[0])
            d = (d[0], here[1])
            if here[1] >= 0:
                return a, d
            a, b = (d, b) if here[0] <= limit else (a, d[0])

    def update(a, b, c):
        """U0 to U3; ends are pairs of step and slope."""
        if not a[0] < c < b[0]:
            return a, b
        here = look(c)
        if here[1] >= 0:
            return a, (c, here[1])
        return ((c, here[1]), b) if here[0] <= limit else between(a, c)

    def secant(a, b):
        return (a[0] * b[1] - b[0] * a[1]) / (b[1] - a[1])

    def secant2(a, b):
        c = secant(a, b)
        low, high = update(a, b, c)
        if c == high[0]:
            return update(low, high, secant(b, high))
        if c == low[0]:
            return update(low, high, secant(a, low))
        return low, high

    def bracket(c):
        """B0 to B3, with the last point that is low enough in place of 0 in B2."""
        low = (0.0, phi0[1])
        while True:
            here = look(c)
            if here[1] >= 0:
                return low, (c, here[1])
            if here[0] > limit:
                return between(low, c)
            low, c = (c, here[1]), expansion * c

    try:
        a, b = bracket(first)
        while True:
            low, high = secant2(a, b)
            if high[0] - low[0] > shrink * (b[0] - a[0]):
                low, high = update(low, high, (low[0] + high[0]) / 2)
            a, b = low, high
    except Done as done:
        return done.args or None
