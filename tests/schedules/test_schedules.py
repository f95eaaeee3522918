"""Schedules are closed forms of the step; their durations come in steps, in epochs, or from the run."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, at_once, compilations, sampled
from tests.schedules.rates import mapped, rates
from thalweg.core.duration import Duration, WholeRun, resolve


def closed_form(t: float, peak: float, warmup: int, steps: int, final: float) -> float:
    """The formula of the docstring."""
    if t < warmup:
        return peak * (t + 1) / warmup
    progress = min((t - warmup) / (steps - warmup), 1.0)
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress)))


@pytest.mark.parametrize(
    ("warmup", "steps", "final"), [(0, 1, 0.0), (0, 7, 0.3), (3, 10, 0.0), (9, 10, 1.0), (1, 2, 0.5)]
)
def test_warmup_cosine_is_its_closed_form(warmup, steps, final):
    schedule = tw.schedules.WarmupCosine(0.7, warmup=warmup, steps=steps, final=final)
    expected = [closed_form(t, 0.7, warmup, steps, final) for t in range(steps + 3)]
    np.testing.assert_allclose(rates(schedule, steps + 3), expected, rtol=10 * EPS, atol=EPS)


def test_its_landmarks():
    got = rates(tw.schedules.WarmupCosine(2.0, warmup=4, steps=12, final=0.25), 20)
    np.testing.assert_allclose(got[:5], [0.5, 1.0, 1.5, 2.0, 2.0], rtol=10 * EPS)
    np.testing.assert_allclose(got[8], 0.5 * (2.0 + 0.5), rtol=10 * EPS)
    np.testing.assert_allclose(got[12:], 0.5, rtol=10 * EPS)
    assert np.all(np.diff(got[4:]) <= 0)


@given(
    peak=st.floats(0, 10, width=32, allow_subnormal=False),
    final=st.floats(0, 1, width=32, allow_subnormal=False),
    warmup=st.integers(0, 50),
    more=st.integers(1, 50),
    t=st.integers(0, 200),
)
def test_rates_are_finite_and_between_zero_and_the_peak(peak, final, warmup, more, t):
    schedule = tw.schedules.WarmupCosine(peak, warmup=warmup, steps=warmup + more, final=final)
    rate = float(at_once(mapped, schedule, np.full(1, t))[0])
    assert 0 <= rate <= peak * (1 + 10 * EPS)
    assert rate == pytest.approx(
        closed_form(t, peak, warmup, warmup + more, final), rel=1e3 * EPS, abs=1e-30 + 10 * EPS * peak
    )


def test_constant():
    np.testing.assert_array_equal(rates(tw.schedules.Constant(0.25), 3), 0.25)
    assert tw.schedules.Constant(1)(np.asarray(0)).dtype == jnp.result_type(float)


def quadratic(x):
    return (x - 1) ** 2


def noisy(x, batch):
    return jnp.mean((x - batch) ** 2)


def used_rates(schedule: tw.schedules.Schedule, stop: tw.Stop, *, data=None) -> np.ndarray:
    """The rates that a run used at its steps."""
    loss = quadratic if data is None else noisy
    result = tw.minimize(tw.Problem(loss, data), np.zeros(()), tw.SGD(schedule), stop=stop)
    return result.trace.step_size[: result.steps]


STOPS = {
    "steps": tw.Steps(8),
    "or a target": tw.Steps(8) | tw.Target(-1.0),
    "the longer": tw.Steps(8) & tw.Steps(4),
    "the shorter": tw.Steps(8) | tw.Steps(30),
}


@pytest.mark.parametrize("name", sampled(STOPS, ["steps", "the shorter"]))
def test_none_is_the_length_of_the_run(name):
    expected = [closed_form(t, 0.1, 2, 8, 0.0) for t in range(8)]
    used = used_rates(tw.schedules.WarmupCosine(0.1, warmup=2), STOPS[name])
    np.testing.assert_allclose(used, expected, rtol=10 * EPS)


def test_epochs_are_steps_of_the_data():
    """On whole data one step is one epoch."""
    data = np.arange(5.0)
    schedule = tw.schedules.WarmupCosine(0.1, warmup=tw.Epochs(2), steps=tw.Epochs(8))
    expected = [closed_form(t, 0.1, 2, 8, 0.0) for t in range(10)]
    np.testing.assert_allclose(used_rates(schedule, tw.Steps(10), data=data), expected, rtol=10 * EPS)
    whole = used_rates(tw.schedules.WarmupCosine(0.1, warmup=tw.Epochs(2)), tw.Epochs(8), data=data)
    np.testing.assert_allclose(whole, expected[:8], rtol=10 * EPS)
    with pytest.raises(ValueError, match="needs data to know how long an epoch is"):
        used_rates(schedule, tw.Steps(10))


def test_a_length_is_needed():
    with pytest.raises(ValueError, match="needs a stop rule with a length"):
        used_rates(tw.schedules.WarmupCosine(0.1), tw.Target(0.1))


def test_durations_are_resolved_anywhere_in_a_tree():
    tree = (tw.Epochs(2.5), WholeRun(), {"inner": tw.SGD(tw.schedules.WarmupCosine(1.0, warmup=tw.Steps(3)))})
    a, b, rest = resolve(tree, 10.0, 100.0)
    assert (a.steps, b.steps) == (25.0, 100.0)
    assert rest["inner"].learning_rate.warmup.steps == 3.0
    assert rest["inner"].learning_rate.steps.steps == 100.0
    assert resolve(tw.SGD(0.1), None, None) == tw.SGD(0.1)


def test_another_length_or_peak_does_not_recompile():
    def run(schedule, steps):
        return tw.minimize(quadratic, np.zeros(()), tw.SGD(schedule), stop=tw.Steps(steps))

    run(tw.schedules.WarmupCosine(0.1, warmup=2), 8)
    with compilations() as names:
        run(tw.schedules.WarmupCosine(0.2, warmup=3, steps=5, final=0.5), 8)
        run(tw.schedules.WarmupCosine(0.2, warmup=tw.Steps(1)), 9)
    assert names == []


def test_any_callable_serves():
    with jax.numpy_dtype_promotion("standard"):
        result = tw.minimize(lambda x: x**2, np.ones(()), tw.SGD(lambda t: 0.1 / (1 + t)), stop=tw.Steps(3))
    np.testing.assert_allclose(result.trace.step_size[:3], [0.1, 0.05, 0.1 / 3], rtol=10 * EPS)


BAD = {
    "peak": (lambda: tw.schedules.WarmupCosine(-1.0), "peak=-1.0.*finite number >= 0"),
    "nan": (lambda: tw.schedules.Constant(math.nan), "value=nan"),
    "inf": (lambda: tw.schedules.Constant(math.inf), "value=inf"),
    "final": (lambda: tw.schedules.WarmupCosine(1.0, final=1.5), "final=1.5.*in \\[0, 1\\]"),
    "order": (lambda: tw.schedules.WarmupCosine(1.0, warmup=10, steps=10), "warm-up must be shorter"),
    "warmup": (
        lambda: tw.schedules.WarmupCosine(1.0, warmup=None),
        r"WarmupCosine\(warmup=None\): warmup must be a whole",
    ),
    "negative": (
        lambda: tw.schedules.WarmupCosine(1.0, steps=-3),
        r"WarmupCosine\(steps=-3\): steps must be a whole",
    ),
    "fraction": (
        lambda: tw.schedules.WarmupCosine(1.0, warmup=2.5, steps=10),
        r"WarmupCosine\(warmup=2.5\): warmup must be a whole",
    ),
    "string": (lambda: tw.schedules.Constant("fast"), "value='fast'"),
    "epochs": (lambda: tw.Epochs(0), "count"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_not_a_duration():
    with pytest.raises(TypeError, match="'ten' is not a duration: give whole steps"):
        tw.schedules.WarmupCosine(1.0, steps="ten")


def test_a_warmup_longer_than_the_run_is_refused_when_the_run_is_known():
    with pytest.raises(ValueError, match=r"WarmupCosine\(warmup=20\): the warm-up is longer than the 8 steps that"):
        used_rates(tw.schedules.WarmupCosine(0.1, warmup=20), tw.Steps(8))
    with pytest.raises(ValueError, match=r"WarmupCosine\(warmup=8, steps=8\): the warm-up must be shorter than the"):
        used_rates(tw.schedules.WarmupCosine(0.1, warmup=8), tw.Steps(8))


def test_durations_survive_a_configuration():
    for schedule in (
        tw.schedules.WarmupCosine(1.0, warmup=tw.Epochs(2)),
        tw.schedules.WarmupCosine(1.0, 3, 9),
        tw.schedules.Constant(0.5),
    ):
        again = tw.from_config(tw.to_config(schedule))
        assert jax.tree.structure(again) == jax.tree.structure(schedule)
        assert jax.tree.leaves(again) == jax.tree.leaves(schedule)
    assert isinstance(tw.schedules.WarmupCosine(1.0, warmup=3).warmup, Duration)
