"""Schedules that bend, cycle and are put together: their closed forms, their namesakes, their properties."""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, X64, at_once, compilations, sampled
from tests.schedules.rates import mapped, namesakes, rates
from thalweg.core.duration import resolve

ROUNDED = 200 * EPS
STEPS = 40
TORCH = json.loads(Path(__file__).with_name("torch_rates.json").read_text())


def bend(p: float) -> float:
    """Half a cosine from 1 to 0."""
    return (1 + math.cos(math.pi * p)) / 2


def sgdr(t, peak, period, growth, decay, final):
    """Cycle by cycle, as the paper describes it."""
    length = period
    while t >= length:
        t, length, peak = t - length, length * growth, peak * decay
    return peak * (final + (1 - final) * bend(t / length))


def triangle(t, low, high, half, fade):
    """Smith's figure 2."""
    cycle, into = divmod(t, 2 * half)
    return low + (high - low) * (into / half if into <= half else 2 - into / half) * fade(cycle, t)


def cycle(t, steps, rise, first, last, shape):
    """Up to 1 and down again."""
    h = bend if shape == "cosine" else lambda p: 1 - p
    if t < rise * steps:
        return 1 + (first - 1) * h(t / (rise * steps))
    return last + (1 - last) * h(min((t - rise * steps) / (steps - rise * steps), 1))


def wsd(t, peak, warmup, decay, steps, h, final):
    """Three stretches."""
    if t < warmup:
        return peak * (t + 1) / warmup
    return peak * (final + (1 - final) * h(min(max((t - steps + decay) / decay, 0), 1)))


def stretch(t, boundaries, values, h):
    """Between two points."""
    xs = [0, *boundaries]
    for i in range(len(boundaries)):
        if t < xs[i + 1]:
            return values[i + 1] + (values[i] - values[i + 1]) * h((t - xs[i]) / (xs[i + 1] - xs[i]))
    return values[-1]


BOUNDARIES, VALUES = (5, 11, 20), (0.3, 0.7, 0.1, 0.2)
FORMS = {
    "polynomial": (tw.schedules.Polynomial(0.7, 9, 1.7, 0.2), lambda t: 0.7 * (0.2 + 0.8 * (1 - min(t / 9, 1)) ** 1.7)),
    "inverse time": (tw.schedules.InverseTime(0.7, 5, 0.8), lambda t: 0.7 * (1 + t / 5) ** -0.8),
    "inverse root": (tw.schedules.InverseSqrt(0.7, 6), lambda t: 0.7 * min((t + 1) / 6, (6 / (t + 1)) ** 0.5)),
    "transformer": (
        tw.schedules.InverseSqrt((512 * 8) ** -0.5, 8),
        lambda t: 512**-0.5 * min((t + 1) ** -0.5, (t + 1) * 8**-1.5),
    ),
    "warm-up of anything": (
        tw.schedules.Warmup(tw.schedules.StepDecay(0.7, 0.5, 5), 4),
        lambda t: 0.7 * ((t + 1) / 4 if t < 4 else 0.5 ** ((t - 4) // 5)),
    ),
    "warm-up of a number": (tw.schedules.Warmup(0.7, 4), lambda t: 0.7 * min((t + 1) / 4, 1)),
    "warm-up of a function": (
        tw.schedules.Warmup(lambda t: 0.7 - 0.01 * jnp.asarray(t, float), 4),
        lambda t: 0.7 * (t + 1) / 4 if t < 4 else 0.7 - 0.01 * (t - 4),
    ),
    "restarts": (tw.schedules.CosineRestarts(0.7, 7, final=0.1), lambda t: sgdr(t, 0.7, 7, 1, 1, 0.1)),
    "restarts that grow": (tw.schedules.CosineRestarts(0.7, 3, 2, 0.8), lambda t: sgdr(t, 0.7, 3, 2, 0.8, 0)),
    "restarts that grow slowly": (
        tw.schedules.CosineRestarts(0.7, 5, 1.3, 0.9),
        lambda t: sgdr(t, 0.7, 5, 1.3, 0.9, 0),
    ),
    "triangular": (tw.schedules.Cyclical(0.1, 0.7, 4), lambda t: triangle(t, 0.1, 0.7, 4, lambda c, t: 1)),
    "triangular2": (
        tw.schedules.Cyclical(0.1, 0.7, 3, "triangular2"),
        lambda t: triangle(t, 0.1, 0.7, 3, lambda c, t: 2.0**-c),
    ),
    "exp_range": (
        tw.schedules.Cyclical(0.1, 0.7, 5, "exp_range", 0.9),
        lambda t: triangle(t, 0.1, 0.7, 5, lambda c, t: 0.9**t),
    ),
    "one cycle": (tw.schedules.OneCycle(0.7, 30), lambda t: 0.7 * cycle(t, 30, 0.3, 1 / 25, 1 / 25e4, "cosine")),
    "one cycle, linear": (
        tw.schedules.OneCycle(0.7, 20, 0.45, 10, 100, "linear"),
        lambda t: 0.7 * cycle(t, 20, 0.45, 0.1, 0.001, "linear"),
    ),
    "its momentum": (
        tw.schedules.OneCycle(0.7, 20, shape="linear").momentum(0.8, 0.9),
        lambda t: 0.9 - 0.1 * cycle(t, 20, 0.3, 0, 0, "linear"),
    ),
    "stable, linear": (tw.schedules.WSD(0.7, 6, 4, 30, "linear"), lambda t: wsd(t, 0.7, 4, 6, 30, lambda q: 1 - q, 0)),
    "stable, cosine": (tw.schedules.WSD(0.7, 10, 0, 30, "cosine", 0.1), lambda t: wsd(t, 0.7, 0, 10, 30, bend, 0.1)),
    "stable, root": (tw.schedules.WSD(0.7, 30, 0, 30), lambda t: wsd(t, 0.7, 0, 30, 30, lambda q: 1 - q**0.5, 0)),
    "pieces": (tw.schedules.Piecewise(BOUNDARIES, VALUES), lambda t: VALUES[np.searchsorted(BOUNDARIES, t, "right")]),
    "pieces, linear": (
        tw.schedules.Piecewise(BOUNDARIES, VALUES, "linear"),
        lambda t: stretch(t, BOUNDARIES, VALUES, lambda p: 1 - p),
    ),
    "pieces, cosine": (
        tw.schedules.Piecewise(BOUNDARIES, VALUES, "cosine"),
        lambda t: stretch(t, BOUNDARIES, VALUES, bend),
    ),
    "join": (
        tw.schedules.Join([tw.schedules.Linear(0.1, 0.7, 5), 0.6, tw.schedules.StepDecay(0.5, 0.5, 4)], [5, 12]),
        lambda t: 0.1 + 0.12 * t if t < 5 else 0.6 if t < 12 else 0.5 * 0.5 ** ((t - 12) // 4),
    ),
    "scaled": (tw.schedules.Scaled(tw.schedules.InverseTime(0.7), 0.3), lambda t: 0.21 / (1 + t)),
}
by_form = pytest.mark.parametrize("name", FORMS)


@by_form
def test_its_closed_form(name):
    schedule, form = FORMS[name]
    expected = [form(t) for t in range(STEPS)]
    np.testing.assert_allclose(rates(schedule, STEPS), expected, rtol=ROUNDED, atol=4 * EPS)
    assert len(set(expected)) > 1


@pytest.mark.parametrize("name", sampled(FORMS, ["inverse root", "restarts that grow", "join"]))
def test_steps_of_any_kind(name):
    """Whole and real, traced and not; the result is a scalar of the widest float."""
    schedule = FORMS[name][0]
    whole = rates(schedule, STEPS)
    real = at_once(mapped, schedule, np.arange(STEPS, dtype=float))
    np.testing.assert_allclose(real, whole, rtol=ROUNDED, atol=EPS)
    one = schedule(7)
    assert one.shape == () and one.dtype == jnp.result_type(float) and not one.weak_type
    np.testing.assert_allclose(one, whole[7], rtol=10 * EPS)


def beyond(schedule, start=0):
    """Ours from a step on."""
    return lambda t: schedule(t + start)


with jax.numpy_dtype_promotion("standard"):  # a demand on our code, not on our peers'
    NAMESAKES = {
        "polynomial": (tw.schedules.Polynomial(0.7, 9, 1.7, 0.2), optax.polynomial_schedule(0.7, 0.14, 1.7, 9)),
        "restarts": (
            tw.schedules.CosineRestarts(0.7, 4, 2, 0.5, 0.1),
            optax.sgdr_schedule(
                [
                    {"init_value": 0, "peak_value": p, "warmup_steps": 0, "decay_steps": n, "end_value": 0.1 * p}
                    for p, n in ((0.7, 4), (0.35, 8), (0.175, 16), (0.0875, 32))
                ]
            ),
        ),
        "one cycle": (tw.schedules.OneCycle(0.7, 30), optax.cosine_onecycle_schedule(30, 0.7)),
        "one cycle of other numbers": (
            tw.schedules.OneCycle(0.7, 30, 0.5, 5, 20),
            optax.cosine_onecycle_schedule(30, 0.7, 0.5, 5, 20),
        ),
        "pieces": (
            tw.schedules.Piecewise([5, 11], [0.6, 0.3, 0.9]),
            optax.piecewise_constant_schedule(0.6, {5: 0.5, 11: 3.0}),
        ),
        "pieces, linear": (
            tw.schedules.Piecewise([5, 11], [0.6, 0.3, 0.9], "linear"),
            optax.piecewise_interpolate_schedule("linear", 0.6, {5: 0.5, 11: 3.0}),
        ),
        "pieces, cosine": (
            tw.schedules.Piecewise([5, 11], [0.6, 0.3, 0.9], "cosine"),
            optax.piecewise_interpolate_schedule("cosine", 0.6, {5: 0.5, 11: 3.0}),
        ),
        "join": (
            tw.schedules.Join([tw.schedules.Linear(0.0, 0.7, 5), tw.schedules.Cosine(0.7, 20)], [5]),
            optax.join_schedules([optax.linear_schedule(0, 0.7, 5), optax.cosine_decay_schedule(0.7, 20)], [5]),
        ),
        # Optax begins its warm-up at 0, ours one step later.
        "warm-up and cosine": (
            tw.schedules.Join([tw.schedules.Linear(0.0, 0.7, 5), tw.schedules.Cosine(0.7, 15)], 5),
            optax.warmup_cosine_decay_schedule(0, 0.7, 5, 20),
        ),
        "warm-up": (beyond(tw.schedules.Warmup(0.7, 6)), lambda t: optax.warmup_constant_schedule(0, 0.7, 6)(t + 1)),
    }


@pytest.mark.thorough
@pytest.mark.parametrize(("ours", "theirs"), NAMESAKES.values(), ids=NAMESAKES)
def test_its_namesake_in_optax(ours, theirs):
    np.testing.assert_allclose(rates(ours, STEPS), namesakes(theirs, STEPS), rtol=1e3 * EPS, atol=4 * EPS)


# The last of torch's `total_steps` is the last rate, and its peak lies one step before the fraction: 30 and 8.3 of 31.
ONE = tw.schedules.OneCycle(0.7, 30, 8.3 / 30)
LINE = tw.schedules.OneCycle(0.7, 30, 11.4 / 30, 5, 20, "linear")
OF_TORCH = {
    "polynomial": (tw.schedules.Polynomial(0.7, 9, 1.7), None),
    "restarts": (tw.schedules.CosineRestarts(0.7, 7, final=0.1), None),
    "restarts that grow": (tw.schedules.CosineRestarts(0.7, 4, 2), None),
    "triangular": (tw.schedules.Cyclical(0.1, 0.7, 4), None),
    "triangular2": (tw.schedules.Cyclical(0.1, 0.7, 4, "triangular2"), None),
    "exp_range": (tw.schedules.Cyclical(0.1, 0.7, 4, "exp_range", 0.9), None),
    "one cycle": (ONE, ONE.momentum(0.8, 0.95)),
    "one cycle, linear": (LINE, LINE.momentum()),
    "milestones": (tw.schedules.Piecewise([3, 8, 20], [0.7, 0.21, 0.063, 0.0189]), None),
    # Torch's cosine rises again after T_max, ours rests; and its LinearLR ends at its last step.
    "sequential": (tw.schedules.Join([tw.schedules.Linear(0.14, 0.7, 4), tw.schedules.Cosine(0.7, 8)], 4), None),
}


@pytest.mark.parametrize("name", TORCH)
def test_its_namesake_in_torch(name):
    schedule, momentum = OF_TORCH[name]
    steps = 13 if name == "sequential" else len(TORCH[name]["rates"])
    expected = TORCH[name]["rates"][:steps]
    np.testing.assert_allclose(rates(schedule, steps), expected, rtol=2e3 * EPS, atol=4 * EPS)
    if momentum is not None:
        np.testing.assert_allclose(rates(momentum, steps), TORCH[name]["momenta"][:steps], rtol=2e3 * EPS)


real = st.floats(0, 10, width=32, allow_subnormal=False)
fraction = st.floats(2.0**-6, 1, width=32)


KINDS = {
    "polynomial": lambda peak, low, n, a: tw.schedules.Polynomial(peak, n, 4 * a, a),
    "inverse time": lambda peak, low, n, a: tw.schedules.InverseTime(peak, n, 2 * a),
    "inverse root": lambda peak, low, n, a: tw.schedules.InverseSqrt(peak, n),
    "restarts": lambda peak, low, n, a: tw.schedules.CosineRestarts(peak, n, 1 + a, a, 1 - a),
    "restarts of one length": lambda peak, low, n, a: tw.schedules.CosineRestarts(peak, n, 1, a, 1 - a),
    "triangular2": lambda peak, low, n, a: tw.schedules.Cyclical(low, peak, n, "triangular2"),
    "exp_range": lambda peak, low, n, a: tw.schedules.Cyclical(low, peak, n, "exp_range", a),
    "one cycle": lambda peak, low, n, a: tw.schedules.OneCycle(peak, n, 0.9 * a),
    "stable": lambda peak, low, n, a: tw.schedules.WSD(peak, n // 2, n // 3, n, final=a),
    "pieces": lambda peak, low, n, a: tw.schedules.Piecewise([n, 2 * n], [low, peak, low], "cosine"),
}


@pytest.mark.parametrize("kind", sampled(KINDS, ["restarts"]))
@given(real, fraction, fraction, st.integers(2, 500), st.integers(0, 2**30))
def test_rates_are_finite_and_between_0_and_the_peak(kind, peak, part, a, n, t):
    """Alone, and warmed up, scaled, joined."""
    inner = KINDS[kind](peak, peak * part, n, a)
    schedule = tw.schedules.Join([inner, tw.schedules.Scaled(tw.schedules.Warmup(inner, n), part)], 3 * n)
    got = np.asarray(at_once(mapped, schedule, np.asarray([0, 1, n, 3 * n - 1, 3 * n, 4 * n, t % 5000, t])))
    assert np.all(np.isfinite(got))
    assert np.all((got >= -4 * EPS * peak) & (got <= peak * (1 + 1e3 * EPS)))


SMOOTH = {
    "warm-up": (tw.schedules.Warmup(tw.schedules.Cosine(1.0, 900), 100), 2 / 100),
    "inverse root": (tw.schedules.InverseSqrt(1.0, 100), 2 / 100),
    "one cycle": (tw.schedules.OneCycle(1.0, 1000), 4 / 300),
    "its momentum": (tw.schedules.OneCycle(1.0, 1000).momentum(0.0, 0.9), 4 / 300),
    "stable": (tw.schedules.WSD(1.0, 200, 100, 1000, "cosine"), 2 / 100),
    "triangular": (tw.schedules.Cyclical(0.1, 1.0, 100), 2 / 100),
    "pieces, linear": (tw.schedules.Piecewise([300, 700], [0.1, 1.0, 0.0], "linear"), 2 / 300),
    "pieces, cosine": (tw.schedules.Piecewise([300, 700], [0.1, 1.0, 0.0], "cosine"), 4 / 300),
}


@pytest.mark.parametrize(("schedule", "most"), SMOOTH.values(), ids=SMOOTH)
def test_no_jumps_at_its_joints(schedule, most):
    assert np.abs(np.diff(rates(schedule, 1200))).max() <= most


@pytest.mark.parametrize("growth", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("period", [1, 3, 10, 49])
def test_restarts_come_at_their_step(growth, period):
    """Rounding in a logarithm must not move one: the first step of every cycle has its peak, the one before has not."""
    begins = np.ceil(np.cumsum([0.0] + [period * growth**i for i in range(5)])).astype(int)
    got = rates(tw.schedules.CosineRestarts(1.0, period, growth, 0.5), begins[-1] + 1)
    exact = begins == np.cumsum([0.0] + [period * growth**i for i in range(5)])
    np.testing.assert_allclose(got[begins[exact]], 0.5 ** np.arange(6)[exact], rtol=ROUNDED)


def test_a_warm_up_before_a_cosine_is_the_warm_cosine():
    warm = tw.schedules.Warmup(tw.schedules.Cosine(0.7, 15, final=0.1), 5)
    expected = rates(tw.schedules.WarmupCosine(0.7, 5, 20, 0.1), STEPS)
    np.testing.assert_allclose(rates(warm, STEPS), expected, rtol=ROUNDED)


def quadratic(x):
    return (x - 1) ** 2


def noisy(x, batch):
    return jnp.mean((x - batch) ** 2)


def used_rates(schedule, stop: tw.Stop, *, data=None, batch_size=None) -> np.ndarray:
    """The rates that a run used at its steps."""
    loss = quadratic if data is None else noisy
    result = tw.minimize(tw.Problem(loss, data), np.zeros(()), tw.SGD(schedule), stop=stop, batch_size=batch_size)
    return result.trace.step_size[: result.steps]


E = tw.Epochs
LENGTHS = {
    "polynomial": (tw.schedules.Polynomial(0.1), tw.schedules.Polynomial(0.1, E(6)), tw.schedules.Polynomial(0.1, 12)),
    "inverse time": (
        tw.schedules.InverseTime(0.1, None),
        tw.schedules.InverseTime(0.1, E(6)),
        tw.schedules.InverseTime(0.1, 12),
    ),
    "inverse root": (None, tw.schedules.InverseSqrt(0.1, E(1.5)), tw.schedules.InverseSqrt(0.1, 3)),
    "warm-up": (
        tw.schedules.Warmup(tw.schedules.Cosine(0.1), 4),
        tw.schedules.Warmup(tw.schedules.Cosine(0.1, E(4)), E(2)),
        tw.schedules.WarmupCosine(0.1, 4, 12),
    ),
    "two warm-ups": (
        tw.schedules.Warmup(tw.schedules.Warmup(tw.schedules.Cosine(0.1), 2), 4),
        tw.schedules.Warmup(tw.schedules.Warmup(tw.schedules.Cosine(0.1), E(1)), E(2)),
        tw.schedules.Warmup(tw.schedules.Warmup(tw.schedules.Cosine(0.1, 6), 2), 4),
    ),
    "restarts": (None, tw.schedules.CosineRestarts(0.1, E(2), 2.0), tw.schedules.CosineRestarts(0.1, 4, 2.0)),
    "cyclical": (None, tw.schedules.Cyclical(0.01, 0.1, E(1)), tw.schedules.Cyclical(0.01, 0.1, 2)),
    "one cycle": (tw.schedules.OneCycle(0.1), tw.schedules.OneCycle(0.1, E(6)), tw.schedules.OneCycle(0.1, 12)),
    "stable": (tw.schedules.WSD(0.1, 4, 2), tw.schedules.WSD(0.1, E(2), E(1), E(6)), tw.schedules.WSD(0.1, 4, 2, 12)),
    "pieces": (
        None,
        tw.schedules.Piecewise([2, E(3)], [0.1, 0.2, 0.05], "linear"),
        tw.schedules.Piecewise([2, 6], [0.1, 0.2, 0.05], "linear"),
    ),
    "join": (
        tw.schedules.Join(
            [tw.schedules.Linear(0.01, 0.1), tw.schedules.Constant(0.1), tw.schedules.Cosine(0.1)], [2, 6]
        ),
        tw.schedules.Join(
            [tw.schedules.Linear(0.01, 0.1, E(1)), tw.schedules.Constant(0.1), tw.schedules.Cosine(0.1, E(3))],
            [E(1), E(3)],
        ),
        tw.schedules.Join(
            [tw.schedules.Linear(0.01, 0.1, 2), tw.schedules.Constant(0.1), tw.schedules.Cosine(0.1, 6)], [2, 6]
        ),
    ),
    "scaled": (
        tw.schedules.Scaled(tw.schedules.Cosine(0.1), 0.5),
        tw.schedules.Scaled(tw.schedules.Cosine(0.1, E(6)), 0.5),
        tw.schedules.Scaled(tw.schedules.Cosine(0.1, 12), 0.5),
    ),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_of_the_run_and_of_epochs(name):
    """Of a run of twelve steps with two in an epoch: None is what is left of it."""
    of_the_run, in_epochs, in_steps = LENGTHS[name]
    expected = rates(in_steps, 12)
    if of_the_run is not None:
        np.testing.assert_allclose(rates(resolve(of_the_run, None, 12.0), 12), expected, rtol=ROUNDED, atol=EPS)
    np.testing.assert_allclose(rates(resolve(in_epochs, 2.0, 12.0), 12), expected, rtol=ROUNDED, atol=EPS)
    if name == "join":
        got = used_rates(in_epochs, tw.Steps(12), data=np.arange(6.0), batch_size=3)
        np.testing.assert_allclose(got, expected, rtol=ROUNDED, atol=EPS)
        np.testing.assert_allclose(used_rates(of_the_run, tw.Steps(12)), expected, rtol=ROUNDED, atol=EPS)
    with pytest.raises(ValueError, match="needs data to know how long an epoch is"):
        used_rates(in_epochs, tw.Steps(12))
    with pytest.raises(ValueError, match="has no length outside minimize: give"):
        in_epochs(np.asarray(0))


OTHERS = {
    "polynomial": (tw.schedules.Polynomial(0.1), tw.schedules.Polynomial(0.2, 5, 0.7, 0.1)),
    "inverse time": (tw.schedules.InverseTime(0.1), tw.schedules.InverseTime(0.2, None, 0.6)),
    "warm-up": (
        tw.schedules.Warmup(tw.schedules.Cosine(0.1), 2),
        tw.schedules.Warmup(tw.schedules.Cosine(0.2, 3), tw.Steps(2)),
    ),
    "restarts": (tw.schedules.CosineRestarts(0.1, 3), tw.schedules.CosineRestarts(0.2, 2, 1.5, 0.5)),
    "one cycle": (tw.schedules.OneCycle(0.1), tw.schedules.OneCycle(0.2, 5, 0.5)),
    "stable": (tw.schedules.WSD(0.1, 4), tw.schedules.WSD(0.2, 3, 0, 8)),
    "pieces": (tw.schedules.Piecewise([2, 4], [0.1, 0.2, 0.3]), tw.schedules.Piecewise([1, 7], [0.2, 0.1, 0.1])),
    "join": (
        tw.schedules.Join([0.1, tw.schedules.Cosine(0.1)], 3),
        tw.schedules.Join([0.2, tw.schedules.Cosine(0.1, 4)], 5),
    ),
}


@pytest.mark.parametrize("name", sampled(OTHERS, ["warm-up", "join"]))
def test_other_numbers_and_lengths_do_not_recompile(name):
    first, other = OTHERS[name]
    before = tw.minimize(quadratic, np.zeros(()), tw.SGD(first), stop=tw.Steps(8))
    with compilations() as names:
        after = tw.minimize(quadratic, np.zeros(()), tw.SGD(other), stop=tw.Steps(9))
    assert names == []
    assert after.trace.step_size[0] == pytest.approx(2 * before.trace.step_size[0])


@by_form
def test_through_a_configuration(name):
    schedule = FORMS[name][0]
    if "function" in name:
        return
    again = tw.from_config(json.loads(json.dumps(tw.to_config(schedule))))
    assert jax.tree.structure(again) == jax.tree.structure(schedule)
    assert jax.tree.leaves(again) == jax.tree.leaves(schedule)


def test_one_cycle_drives_rate_and_momentum():
    seen = []
    cycle = tw.schedules.OneCycle(0.1)
    rule = tw.Momentum(cycle, cycle.momentum(0.5, 0.9))
    watch = tw.Every(1, lambda event: seen.append(float(event.solver.rule.beta(event.step))))
    result = tw.minimize(quadratic, np.zeros(()), rule, stop=tw.Steps(20), callbacks=[watch])
    assert seen[5] == pytest.approx(0.5) and result.trace.step_size[6] == pytest.approx(0.1)
    np.testing.assert_allclose(seen, rates(tw.schedules.OneCycle(0.1, 20).momentum(0.5, 0.9), 21)[1:], rtol=ROUNDED)


def test_changes_between_chunks():
    """The rate, the momentum and a schedule's own numbers and lengths, without compiling."""
    x0, stop = np.zeros(()), tw.Steps(9)

    def run(rule, **values):
        def answer(event):
            return tw.change(event.solver, **values) if event.step == 4 else None

        tw.minimize(quadratic, x0, rule, stop=stop)
        with compilations() as names:
            result = tw.minimize(quadratic, x0, rule, stop=stop, callbacks=[tw.Every(4, answer)])
        assert names == []
        return result

    assert run(tw.Momentum(0.1, 0.5), learning_rate=0.02).trace.step_size[3:5] == pytest.approx([0.1, 0.02])
    slower, same = run(tw.Momentum(0.1, 0.5), beta=0.0), run(tw.Momentum(0.1, 0.5), beta=0.5)
    assert np.all(slower.trace.value[:5] == same.trace.value[:5]) and slower.trace.value[5] != same.trace.value[5]
    for rule, values, after in (
        (tw.SGD(tw.schedules.Cosine(0.1)), {"peak": 0.3}, tw.schedules.Cosine(0.3, 9)),
        (tw.SGD(tw.schedules.Cosine(0.1)), {"steps": 30}, tw.schedules.Cosine(0.1, 30)),
        (
            tw.SGD(tw.schedules.Warmup(tw.schedules.Cosine(0.1), 6)),
            {"warmup": 1},
            tw.schedules.Warmup(tw.schedules.Cosine(0.1, 3), 1),
        ),
        (
            tw.SGD(tw.schedules.WarmupCosine(0.1, 6)),
            {"steps": 20, "final": 0.5},
            tw.schedules.WarmupCosine(0.1, 6, 20, 0.5),
        ),
    ):
        got = run(rule, **values).trace.step_size
        np.testing.assert_allclose(got[4:9], rates(after, 9)[4:], rtol=1e-6)


BAD = {
    "power": (
        lambda: tw.schedules.Polynomial(1.0, 5, 0.0),
        r"Polynomial\(power=0.0\): power must be a finite number > 0",
    ),
    "length": (
        lambda: tw.schedules.Polynomial(1.0, -3),
        r"Polynomial\(steps=-3\): steps must be a whole number of steps >= 1",
    ),
    "every": (lambda: tw.schedules.InverseTime(1.0, 0), r"InverseTime\(every=0\): every must be"),
    "no warm-up": (lambda: tw.schedules.InverseSqrt(1.0, 0), r"InverseSqrt\(warmup=0\): warmup must be .* >= 1"),
    "warm-up": (
        lambda: tw.schedules.Warmup(tw.schedules.Cosine(1.0), -1),
        r"Warmup\(warmup=-1\): warmup must be .* >= 0",
    ),
    "warm-up of the run": (
        lambda: tw.schedules.Warmup(tw.schedules.Cosine(1.0), None),
        r"Warmup\(warmup=None\): warmup must be",
    ),
    "warm-up of a word": (lambda: tw.schedules.Warmup("cosine", 3), r"Warmup\(schedule='cosine'\): schedule must be"),
    "warm-up of less than nothing": (lambda: tw.schedules.Warmup(-1, 3), r"Warmup\(schedule=-1.0\)"),
    "growth": (lambda: tw.schedules.CosineRestarts(1.0, 3, 0.5), r"CosineRestarts\(growth=0.5\): growth must be a"),
    "period": (lambda: tw.schedules.CosineRestarts(1.0, None), r"CosineRestarts\(period=None\): period must be"),
    "decay": (
        lambda: tw.schedules.CosineRestarts(1.0, 3, decay=0),
        r"CosineRestarts\(decay=0.0\): decay must be in \(0, 1\]",
    ),
    "mode": (lambda: tw.schedules.Cyclical(0, 1, 3, "saw"), "Cyclical.mode='saw'.: mode must be one of 'triangular'"),
    "half": (lambda: tw.schedules.Cyclical(0, 1, 0), r"Cyclical\(half=0\): half must be"),
    "order": (lambda: tw.schedules.Cyclical(1, 0, 3), r"Cyclical\(low=1.0\): low must be at most high=0.0"),
    "gamma": (lambda: tw.schedules.Cyclical(0, 1, 3, gamma=0.9), r'gamma must be left out unless mode="exp_range"'),
    "rise": (lambda: tw.schedules.OneCycle(1.0, rise=1.0), r"OneCycle\(rise=1.0\): rise must be in \(0, 1\)"),
    "division": (
        lambda: tw.schedules.OneCycle(1.0, division=0.5),
        r"OneCycle\(division=0.5\): division must be a finite",
    ),
    "momentum": (
        lambda: tw.schedules.OneCycle(1.0).momentum(0.9, 1.0),
        r"OneCycleMomentum\(high=1.0\): high must be in",
    ),
    "shape": (
        lambda: tw.schedules.WSD(1.0, 3, shape="root"),
        r"WSD\(shape='root'\): shape must be one of 'linear', 'cosine'",
    ),
    "too much": (
        lambda: tw.schedules.WSD(1.0, 6, 5, 10),
        r"WSD\(warmup=5, decay=6, steps=10\): warm-up and decay must fit",
    ),
    "count": (lambda: tw.schedules.Piecewise([3], [0.1]), "Piecewise: give at least two values, not 1"),
    "values": (lambda: tw.schedules.Piecewise([3], [0.1, -1]), r"Piecewise\(values=\(0.1, -1.0\)\): values must be"),
    "falling": (
        lambda: tw.schedules.Piecewise([3, 3], [1, 1, 1]),
        r"Piecewise\(boundaries=\[3, 3\]\): boundaries must increase",
    ),
    "boundary 0": (lambda: tw.schedules.Join([0.1, 0.2], 0), r"Join\(boundaries=0\): boundaries must be a whole"),
    "boundary None": (
        lambda: tw.schedules.Join([0.1, 0.2], [None]),
        r"Join\(boundaries=None\): boundaries must be a whole",
    ),
    "parts": (lambda: tw.schedules.Join([0.1], []), "Join: give at least two schedules, not 1"),
    "a part": (
        lambda: tw.schedules.Join([0.1, "x"], 3),
        r"Join\(schedules='x'\): schedules must be a schedule, a function",
    ),
    "factor": (lambda: tw.schedules.Scaled(tw.schedules.Constant(1.0), -1), r"Scaled\(factor=-1.0\): factor must be"),
    "warm-up longer than the run": (
        lambda: used_rates(tw.schedules.Warmup(0.1, 9), tw.Steps(8)),
        r"Warmup\(warmup=9\): the warm-up is longer than the 8 steps that there are; shorten it",
    ),
    "root's warm-up": (
        lambda: used_rates(tw.schedules.InverseSqrt(0.1, 9), tw.Steps(8)),
        r"InverseSqrt\(warmup=9\): the",
    ),
    "in a join": (
        lambda: used_rates(tw.schedules.Join([0.1, tw.schedules.Warmup(0.1, 5)], 4), tw.Steps(8)),
        r"Warmup\(warmup=5\): the warm-up is longer than the 4 steps",
    ),
    "all of it warm-up": (
        lambda: used_rates(tw.schedules.Warmup(tw.schedules.Cosine(0.1), 8), tw.Steps(8)),
        r"Cosine\(steps=0\): steps",
    ),
    "a join beyond the run": (
        lambda: used_rates(tw.schedules.Join([0.1, tw.schedules.Cosine(0.1)], 8), tw.Steps(8)),
        r"Join\(boundaries=...\): the last schedule begins at step 8, but the run has only 8 steps; lower",
    ),
    "epochs that do not rise": (
        lambda: used_rates(
            tw.schedules.Join([1, 1, 1], [5, tw.Epochs(1)]), tw.Steps(9), data=np.arange(6.0), batch_size=2
        ),
        r"Join\(boundaries=\[5, 3\]\): boundaries must increase",
    ),
    "no length": (
        lambda: used_rates(tw.schedules.Warmup(tw.schedules.Cosine(0.1), 3), tw.Target(0.1)),
        "needs a stop rule with a length",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_large_steps_are_counted_whole():
    """A float32 counts to 2^24 only; the local step of a joined staircase does not go through one."""
    far = 2**24 + 1
    stairs = tw.schedules.Warmup(tw.schedules.StepDecay(1.0, 0.5, 2), far - 1)
    got = [float(stairs(jnp.int32(far + i))) for i in range(4)]
    np.testing.assert_allclose(got, [1.0, 0.5, 0.5, 0.25], rtol=1e-6)
    assert X64 or jnp.float32(far) == jnp.float32(far - 1)
