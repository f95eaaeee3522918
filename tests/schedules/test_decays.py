"""Linear, cosine, exponential and stepwise decay: their closed forms, their namesakes, their lengths."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, X64, at_once, compilations, sampled
from tests.schedules.rates import namesakes, rates
from thalweg.core.duration import WholeRun

ROUNDED = 100 * EPS
"""A power with an exponent of about twenty loses some digits."""

FORMS = {
    "Linear": lambda t, start, end, steps: start + (end - start) * min(t / steps, 1),
    "Cosine": lambda t, peak, steps, final=0.0: (
        peak * (final + (1 - final) * (1 + math.cos(math.pi * min(t / steps, 1))) / 2)
    ),
    "Exponential": lambda t, peak, factor, every=1: peak * factor ** (t / every),
    "StepDecay": lambda t, peak, factor, every: peak * factor ** (t // every),
}
"""The formulas of the docstrings."""

EXAMPLES = {
    "line down": tw.schedules.Linear(0.7, 0.1, 9),
    "line up": tw.schedules.Linear(0.0, 0.3, 9),
    "line of one step": tw.schedules.Linear(0.5, 0.25, 1),
    "cosine": tw.schedules.Cosine(0.7, 9),
    "cosine to a rest": tw.schedules.Cosine(0.7, 9, final=0.3),
    "exponential": tw.schedules.Exponential(0.7, 0.5),
    "exponential, slowly": tw.schedules.Exponential(0.7, 0.1, every=7),
    "stairs": tw.schedules.StepDecay(0.7, 0.3, every=4),
    "stairs of one step": tw.schedules.StepDecay(0.7, 0.9, every=1),
}
by_example = pytest.mark.parametrize("schedule", EXAMPLES.values(), ids=EXAMPLES)


def arguments(schedule: tw.schedules.Schedule) -> dict:
    """The fields as plain numbers."""
    return {name: getattr(value, "steps", value) for name, value in vars(schedule).items()}


@by_example
def test_its_closed_form(schedule):
    form = functools.partial(FORMS[type(schedule).__name__], **arguments(schedule))
    np.testing.assert_allclose(rates(schedule, 20), [form(t) for t in range(20)], rtol=ROUNDED, atol=EPS)


NAMESAKES = {
    "Linear": lambda start, end, steps: optax.linear_schedule(start, end, steps),
    "Cosine": lambda peak, steps, final: optax.cosine_decay_schedule(peak, steps, final),
    "Exponential": lambda peak, factor, every: optax.exponential_decay(peak, every, factor),
    "StepDecay": lambda peak, factor, every: optax.exponential_decay(peak, every, factor, staircase=True),
}


@by_example
def test_its_namesake_in_optax(schedule):
    with jax.numpy_dtype_promotion("standard"):
        namesake = NAMESAKES[type(schedule).__name__](**arguments(schedule))
    np.testing.assert_allclose(rates(schedule, 20), namesakes(namesake, 20), rtol=ROUNDED, atol=EPS)


def test_landmarks():
    line, cosine = rates(tw.schedules.Linear(1.0, 1e-9, 4), 9), rates(tw.schedules.Cosine(2.0, 8, final=0.25), 12)
    np.testing.assert_array_equal(line[[0, 2]], [1.0, np.asarray(0.5 + 0.5e-9, line.dtype)])
    np.testing.assert_array_equal(line[4:], np.asarray(1e-9, line.dtype))
    np.testing.assert_allclose(cosine[[0, 4]], [2.0, 1.25], rtol=10 * EPS)
    np.testing.assert_array_equal(cosine[8:], 0.5)
    np.testing.assert_allclose(
        rates(tw.schedules.Exponential(0.8, 0.25, 2), 5), [0.8, 0.4, 0.2, 0.1, 0.05], rtol=10 * EPS
    )
    np.testing.assert_allclose(
        rates(tw.schedules.StepDecay(0.8, 0.5, 3), 7), [0.8] * 3 + [0.4] * 3 + [0.2], rtol=10 * EPS
    )


@functools.cache
def compiled(kind: type):
    """A schedule of one class as a function of its numbers, mapped over the steps."""

    def run(fields, length, steps):
        name = "every" if kind in (tw.schedules.Exponential, tw.schedules.StepDecay) else "steps"
        schedule = kind(**fields, **{name: tw.Steps(length)})
        return jax.vmap(schedule)(steps)

    return jax.jit(run)


real = st.floats(0, 10, width=32, allow_subnormal=False)
fraction = st.floats(2.0**-10, 1, width=32, allow_subnormal=False)
FIELDS = {
    tw.schedules.Linear: st.fixed_dictionaries({"start": real, "end": real}),
    tw.schedules.Cosine: st.fixed_dictionaries(
        {"peak": real, "final": st.floats(0, 1, width=32, allow_subnormal=False)}
    ),
    tw.schedules.Exponential: st.fixed_dictionaries({"peak": real, "factor": fraction}),
    tw.schedules.StepDecay: st.fixed_dictionaries({"peak": real, "factor": fraction}),
}


@pytest.mark.parametrize("kind", FIELDS)
@given(data=st.data(), length=st.integers(1, 5000), t=st.integers(0, 10_000))
def test_rates_are_finite_not_negative_and_fall(kind, data, length, t):
    fields = data.draw(FIELDS[kind])
    steps = np.sort([0, 1, length - 1, length, length + 1, 2 * length, t, t + 1])
    got = np.asarray(compiled(kind)(fields, float(length), steps))
    first = fields.get("peak", fields.get("start"))
    highest = max(first, fields.get("end", 0.0))
    assert np.all(np.isfinite(got))
    assert np.all((got >= 0) & (got <= highest * (1 + 4 * EPS)))
    assert got[0] == pytest.approx(first, rel=4 * EPS)
    change = np.diff(got) * (1 if fields.get("end", 0.0) > first else -1)
    assert np.all(change >= -8 * EPS * highest)


def stairs(length, t):
    """How often the rate was halved, negative."""
    return jnp.log2(tw.schedules.StepDecay(1.0, 0.5, every=tw.Steps(length))(t))


def stairs_of_many(lengths, t):
    """For every length."""
    return jax.vmap(stairs, (0, None))(lengths, t)


@pytest.mark.parametrize("every", [3, 10, 41, 49, 4099, 2**20 + 1])
@pytest.mark.parametrize("how", ["constant", "traced", "mapped over lengths"])
def test_stairs_end_at_whole_multiples(every, how):
    """In float64 49 * (1 / 49) < 1, in float32 41 * (1 / 41) < 1; and a float32 counts only to 2^24."""
    k = np.arange(1, 60)
    steps = np.stack([k * every - 1, k * every]).astype(np.int32)
    if how == "constant":
        got = at_once(stairs, every, steps)
    elif how == "traced":
        got = at_once(stairs, float(every), steps)
    else:
        got = np.asarray(at_once(stairs_of_many, np.full(2, float(every)), steps))[1]
    np.testing.assert_allclose(got, [1 - k, -k], atol=1e-4)


def quadratic(x):
    return (x - 1) ** 2


def noisy(x, batch):
    return jnp.mean((x - batch) ** 2)


def used_rates(schedule: tw.schedules.Schedule, stop: tw.Stop, *, data=None, batch_size=None) -> np.ndarray:
    """The rates that a run used at its steps."""
    loss = quadratic if data is None else noisy
    result = tw.minimize(tw.Problem(loss, data), np.zeros(()), tw.SGD(schedule), stop=stop, batch_size=batch_size)
    return result.trace.step_size[: result.steps]


WHOLE = {
    "Linear": (tw.schedules.Linear(0.1, 0.02), tw.schedules.Linear(0.1, 0.02, 8)),
    "Cosine": (tw.schedules.Cosine(0.1, final=0.1), tw.schedules.Cosine(0.1, 8, final=0.1)),
    "Exponential": (tw.schedules.Exponential(0.1, 0.5, every=None), tw.schedules.Exponential(0.1, 0.5, every=8)),
}


@pytest.mark.parametrize("name", sampled(WHOLE, ["Cosine"]))
def test_none_is_the_length_of_the_run(name):
    of_the_run, in_steps = WHOLE[name]
    got = used_rates(of_the_run, tw.Steps(8) | tw.Steps(30))
    np.testing.assert_allclose(got, rates(in_steps, 8), rtol=ROUNDED)
    assert got[-1] < 0.75 * got[0]


EPOCHS = {
    "Linear": (tw.schedules.Linear(0.1, 0.02, tw.Epochs(3)), tw.schedules.Linear(0.1, 0.02, 6)),
    "Cosine": (tw.schedules.Cosine(0.1, tw.Epochs(3)), tw.schedules.Cosine(0.1, 6)),
    "Exponential": (tw.schedules.Exponential(0.1, 0.5, tw.Epochs(1.5)), tw.schedules.Exponential(0.1, 0.5, 3)),
    "StepDecay": (tw.schedules.StepDecay(0.1, 0.5, tw.Epochs(1.5)), tw.schedules.StepDecay(0.1, 0.5, 3)),
}


@pytest.mark.parametrize(("in_epochs", "in_steps"), EPOCHS.values(), ids=EPOCHS)
def test_epochs_are_steps_of_the_data(in_epochs, in_steps):
    """On whole data one step is one epoch; here two batches are."""
    got = used_rates(in_epochs, tw.Steps(10), data=np.arange(6.0), batch_size=3)
    np.testing.assert_allclose(got, rates(in_steps, 10), rtol=ROUNDED, atol=EPS)
    with pytest.raises(ValueError, match="needs data to know how long an epoch is"):
        used_rates(in_epochs, tw.Steps(10))
    with pytest.raises(ValueError, match=rf"{type(in_epochs).__name__}\(.* has no length outside minimize: give"):
        in_epochs(np.asarray(0))


OTHERS = {
    "Linear": (tw.schedules.Linear(0.1, 0.0), tw.schedules.Linear(0.2, 0.1, 5)),
    "Cosine": (tw.schedules.Cosine(0.1), tw.schedules.Cosine(0.2, 5, final=0.5)),
    "Exponential": (tw.schedules.Exponential(0.1, 0.9), tw.schedules.Exponential(0.2, 0.5, None)),
    "StepDecay": (tw.schedules.StepDecay(0.1, 0.9, 3), tw.schedules.StepDecay(0.2, 0.5, tw.Steps(2))),
}


@pytest.mark.parametrize("name", sampled(OTHERS, ["Exponential"]))
def test_another_length_does_not_recompile(name):
    first, other = OTHERS[name]
    before = tw.minimize(quadratic, np.zeros(()), tw.SGD(first), stop=tw.Steps(8))
    with compilations() as names:
        after = tw.minimize(quadratic, np.zeros(()), tw.SGD(other), stop=tw.Steps(9))
    assert names == []
    assert after.trace.step_size[0] == pytest.approx(2 * before.trace.step_size[0])


@by_example
def test_through_a_configuration(schedule):
    again = tw.from_config(tw.to_config(schedule))
    assert jax.tree.structure(again) == jax.tree.structure(schedule)
    assert jax.tree.leaves(again) == jax.tree.leaves(schedule)


def test_what_a_user_leaves_out():
    assert isinstance(tw.schedules.Linear(1.0, 0.0).steps, WholeRun)
    assert isinstance(tw.schedules.Cosine(1.0).steps, WholeRun)
    assert tw.schedules.Cosine(1.0).final == 0.0
    assert tw.schedules.Exponential(1.0, 0.5).every.steps == 1.0
    assert tw.schedules.Linear(1, 0, 3)(jnp.asarray(0)).dtype == (jnp.float64 if X64 else jnp.float32)


BAD = {
    "start": (lambda: tw.schedules.Linear(-1.0, 0.0), r"Linear\(start=-1.0\).*finite number >= 0"),
    "end": (lambda: tw.schedules.Linear(1.0, math.nan), "end=nan"),
    "line of no steps": (
        lambda: tw.schedules.Linear(1.0, 0.0, 0),
        r"Linear\(steps=0\): steps must be a whole number",
    ),
    "peak": (lambda: tw.schedules.Cosine(math.inf), "peak=inf"),
    "final": (lambda: tw.schedules.Cosine(1.0, final=1.5), r"Cosine\(final=1.5\): final must be in \[0, 1\]"),
    "cosine of no steps": (lambda: tw.schedules.Cosine(1.0, 0), r"Cosine\(steps=0\): steps must be a whole"),
    "half a step": (lambda: tw.schedules.Cosine(1.0, 0.5), r"Cosine\(steps=0.5\): steps must be a whole"),
    "factor 0": (lambda: tw.schedules.Exponential(1.0, 0.0), r"Exponential\(factor=0.0\): factor must be in \(0, 1\]"),
    "factor above 1": (
        lambda: tw.schedules.StepDecay(1.0, 1.5, 3),
        r"StepDecay\(factor=1.5\): factor must be in \(0, 1\]",
    ),
    "every 0": (
        lambda: tw.schedules.StepDecay(1.0, 0.5, 0),
        r"StepDecay\(every=0\): every must be .* >= 1 or tw.Epochs\(n\)\.$",
    ),
    "every 0, smoothly": (
        lambda: tw.schedules.Exponential(1.0, 0.5, 0),
        r"Exponential\(every=0\): every must be a whole",
    ),
    "every None": (lambda: tw.schedules.StepDecay(1.0, 0.5, None), r"StepDecay\(every=None\): every must be a whole"),
    "negative": (lambda: tw.schedules.StepDecay(1.0, 0.5, -3), r"StepDecay\(every=-3\): every must be a whole"),
    "epochs that round to no step": (
        lambda: used_rates(tw.schedules.StepDecay(0.1, 0.5, tw.Epochs(0.001)), tw.Steps(3), data=np.arange(5.0)),
        r"StepDecay\(every=0\): every must be a whole",
    ),
    "no length": (lambda: used_rates(tw.schedules.Cosine(0.1), tw.Target(0.1)), "needs a stop rule with a length"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
