"""The conditions of Robbins and Monro: by closed form, and by measurement."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, sampled

T, F = True, False
PROVEN = {
    "number": (0.1, T, F, 0.0, "constant, 0.1 > 0"),
    "constant": (tw.schedules.Constant(0.1), T, F, 0.0, "both sums grow like t"),
    "nothing": (tw.schedules.Constant(0.0), F, T, np.inf, "both sums are finite"),
    "line to 0": (tw.schedules.Linear(0.1, 0.0), F, T, np.inf, "after its last step the rate is 0"),
    "line to a rest": (tw.schedules.Linear(0.1, 0.01), T, F, 0.0, "constant, 0.01 > 0"),
    "polynomial": (tw.schedules.Polynomial(0.1, 10, 2.0), F, T, np.inf, "0: both"),
    "cosine": (tw.schedules.Cosine(0.1), F, T, np.inf, "0: both"),
    "cosine to a rest": (tw.schedules.WarmupCosine(0.1, 5, final=0.1), T, F, 0.0, "0.01 > 0"),
    "exponential": (tw.schedules.Exponential(0.1, 0.9), F, T, np.inf, "geometrically"),
    "exponential without decay": (tw.schedules.Exponential(0.1, 1.0), T, F, 0.0, "constant"),
    "stairs": (tw.schedules.StepDecay(0.1, 0.5, 30), F, T, np.inf, "geometrically"),
    "inverse time": (tw.schedules.InverseTime(0.1), T, T, 1.0, "sum t^-1 diverges, sum t^-2 converges"),
    "slower": (tw.schedules.InverseTime(0.1, 100, 0.6), T, T, 0.6, "sum t^-0.6 diverges, sum t^-1.2 converges"),
    "too slow": (tw.schedules.InverseTime(0.1, 100, 0.5), T, F, 0.5, "sum t^-1 diverges"),
    "too fast": (tw.schedules.InverseTime(0.1, 100, 1.1), F, T, 1.1, "sum t^-1.1 converges"),
    "inverse root": (tw.schedules.InverseSqrt(0.1, 100), T, F, 0.5, "sum t^-0.5 diverges, sum t^-1 diverges"),
    "restarts": (tw.schedules.CosineRestarts(0.1, 10), T, F, 0.0, "returns to the peak"),
    "restarts that fade": (tw.schedules.CosineRestarts(0.1, 10, 1, 0.5), F, T, np.inf, "geometrically"),
    "restarts in balance": (tw.schedules.CosineRestarts(0.1, 10, 2, 0.6), T, T, np.log(1 / 0.6) / np.log(2), "1.2"),
    "restarts on the edge": (tw.schedules.CosineRestarts(0.1, 10, 3, 1 / 3), T, T, 1.0, "growth x decay = 1,"),
    "triangles": (tw.schedules.Cyclical(0.0, 0.1, 10), T, F, 0.0, "same height"),
    "triangles that fade": (tw.schedules.Cyclical(0.0, 0.1, 10, "triangular2"), F, T, np.inf, "geometrically"),
    "triangles above 0": (tw.schedules.Cyclical(0.01, 0.1, 10, "exp_range", 0.9), T, F, 0.0, "never falls below 0.01"),
    "one cycle": (tw.schedules.OneCycle(0.1), T, F, 0.0, "constant, 4e-07 > 0"),
    "stable": (tw.schedules.WSD(0.1, 10), F, T, np.inf, "0: both"),
    "pieces": (tw.schedules.Piecewise([3], [0.1, 0.05]), T, F, 0.0, "0.05 > 0"),
    "warm-up": (tw.schedules.Warmup(tw.schedules.InverseTime(0.1), 10), T, T, 1.0, "finitely many steps"),
    "join": (
        tw.schedules.Join([tw.schedules.Cosine(0.1), tw.schedules.InverseTime(0.1)], 9),
        T,
        T,
        1.0,
        "only the last schedule counts",
    ),
    "scaled": (tw.schedules.Scaled(tw.schedules.InverseTime(0.1), 3.0), T, T, 1.0, "a factor changes neither"),
    "scaled by 0": (tw.schedules.Scaled(tw.schedules.InverseTime(0.1), 0.0), F, T, np.inf, "all rates are 0"),
}


@pytest.mark.parametrize(("schedule", "diverges", "converge", "exponent", "words"), PROVEN.values(), ids=PROVEN)
def test_closed_forms_are_proven(schedule, diverges, converge, exponent, words):
    found = tw.schedules.robbins_monro(schedule)
    assert (found.sum_diverges, found.squares_converge) == (diverges, converge)
    assert found.satisfied is (diverges and converge)
    assert found.exponent == pytest.approx(exponent)
    assert words in found.reason and "measured" not in found.reason


def rate(function):
    """A function of the step in floats."""
    return lambda t: function(jnp.asarray(t, float))


MEASURED = {
    "hyperbola": (rate(lambda t: 0.1 / (1 + t)), T, T, 1.0),
    "with an offset": (rate(lambda t: 0.1 / (500 + t)), T, T, 1.0),
    "root": (rate(lambda t: 0.1 / jnp.sqrt(1 + t)), T, F, 0.5),
    "between": (rate(lambda t: (1 + t) ** -0.75), T, T, 0.75),
    "fast": (rate(lambda t: (1 + t) ** -1.5), F, T, 1.5),
    "constant": (rate(lambda t: 0.1 + 0 * t), T, F, 0.0),
    "to a rest": (rate(lambda t: 0.1 + 1 / (1 + t)), T, F, 0.0),
    "exponential": (rate(lambda t: 0.1 * 0.999**t), F, T, np.inf),
    # Its means over an octave wobble around the limit.
    "waves": (rate(lambda t: (2 + jnp.sin(t)) / (1 + t)), None, T, 1.0),
    "warm-up of a function": (tw.schedules.Warmup(rate(lambda t: 0.1 / (1 + t)), 10), T, T, 1.0),
}


@pytest.mark.parametrize("name", sampled(MEASURED, ["hyperbola", "root", "exponential", "waves"]))
def test_any_other_function_is_measured(name):
    schedule, diverges, converge, exponent = MEASURED[name]
    found = tw.schedules.robbins_monro(schedule)
    assert (found.sum_diverges, found.squares_converge) == (diverges, converge)
    assert found.exponent == pytest.approx(exponent, abs=0.05)
    assert found.reason.startswith("measured")


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_logarithm_is_not_decided(power):
    """1 / (t log t) has an infinite sum, 1 / (t log^2 t) a finite one: no measurement tells."""
    found = tw.schedules.robbins_monro(rate(lambda t: 1 / ((2 + t) * jnp.log(2 + t) ** power)))
    assert found.sum_diverges is None and found.squares_converge and found.satisfied is None
    assert 1 < found.exponent < 1.2


def test_it_can_be_read():
    assert str(tw.schedules.robbins_monro(tw.schedules.InverseTime(0.1))).splitlines() == [
        "Robbins-Monro conditions: satisfied",
        "  sum of rates    diverges",
        "  sum of squares  converges",
        "  because         the rates fall like t^-1: sum t^-1 diverges, sum t^-2 converges (compare the integrals)",
    ]
    text = repr(tw.schedules.robbins_monro(rate(lambda t: 1 / (1 + t))))
    assert "measured between 2^24 and 2^30 steps, not proven: the rates fall like t^-1 (+- " in text
    lost = tw.schedules.robbins_monro(rate(lambda t: jnp.log(1e6 - t)))
    assert lost.satisfied is None and "negative or not finite" in lost.reason


def test_what_is_no_schedule():
    with pytest.raises(ValueError, match="finite number >= 0"):
        tw.schedules.robbins_monro("fast")
    assert X64 or tw.schedules.robbins_monro(0.1).sum_diverges
