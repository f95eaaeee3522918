"""Line searches, from their descriptions: Armijo 1966; Nocedal & Wright 2006, algorithms 3.5 and 3.6.

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


def backtracking(phi, phi0, *, slope, decrease, max_trials):
    """`(step, phi(step))` of the first step that fell enough, None if none of `max_trials` did."""
    t = 1.0
    for _ in range(max_trials):
        here = phi(t)
        if fell(phi0, here, t, slope):
            return t, here
        t *= decrease
    return None


def strong_wolfe(phi, phi0, *, slope, curvature, max_trials):
    """`(step, phi(step))` with enough decrease and a flat slope, or the best step found; None if there is none."""
    noise = 4 * EPS * abs(phi0[0])
    low, at_low, high, at_high = 0.0, phi0, math.inf, None
    t = 1.0
    for _ in range(max_trials):
        here = phi(t)
        finite = math.isfinite(here[0]) and math.isfinite(here[1])
        if not finite or not fell(phi0, here, t, slope) or here[0] > at_low[0] + noise:
            high, at_high = t, here
        else:
            if here[1] * (high - low) >= 0:
                high, at_high = low, at_low
            low, at_low = t, here
            if abs(here[1]) <= curvature * abs(phi0[1]):
                break
        t = following(low, at_low, high, at_high)
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
