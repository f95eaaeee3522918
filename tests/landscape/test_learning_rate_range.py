"""The learning-rate range test: known curves under noise, the digits, misuse, and its picture."""

import io

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from matplotlib import pyplot as plt

import thalweg as tw
from tests.helpers import X64, sampled
from thalweg import plot, problems
from thalweg.landscape.learning_rate_range import analyze_losses, has_exploded, initial_loss

BEST = 0.02
"""Where the synthetic curves fall most steeply."""


def curve(rates, noise=0.0, seed=0, explodes_at=0.5):
    """A fall from 2.3 to 0.3 around `BEST`, and an explosion."""
    fall = 2.3 - 2 / (1 + (rates / BEST) ** -1.5)
    rng = np.random.default_rng(seed)
    return fall + (rates / explodes_at) ** 4 + noise * rng.normal(size=len(rates))


def rates(steps):
    """From 1e-6 to 10."""
    return 1e-6 * 1e7 ** (np.arange(steps) / (steps - 1))


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("steps", sampled([100, 300], [100]))
def test_a_known_curve_under_noise(noise, steps):
    """The noise of the largest is more than a tenth of the whole fall, at every single step."""
    for seed in range(6):
        losses = curve(rates(steps), noise, seed)
        ends = next(n for n in range(10, steps + 1, 10) if n == steps or has_exploded(losses[:n], steps))
        found = analyze_losses(rates(ends), losses[:ends], steps) if ends == steps else None
        cut = analyze_losses(rates(steps)[:ends], losses[:ends], steps)
        for result in (cut, found):
            if result is not None:
                assert BEST / 4 < result.suggestion < 4 * BEST
                assert result.interval[0] <= result.suggestion <= result.interval[1]
                assert result.interval[0] > 1e-4 and result.interval[1] < 0.6
        assert rates(steps)[ends - 1] > 0.3, "not before it explodes"


def test_an_explosion_to_infinity_moves_nothing():
    clean, lost = curve(rates(100)), curve(rates(100))
    lost[rates(100) > 0.4] = 10.0 ** (10 * np.arange(np.sum(rates(100) > 0.4)))
    lost[-5:] = np.nan
    expected, found = analyze_losses(rates(100), clean, 100), analyze_losses(rates(100), lost, 100)
    assert found.suggestion == pytest.approx(expected.suggestion)
    assert np.isnan(found.smoothed[-5:]).all() and np.isfinite(found.smoothed[:-5]).all()


@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_noise_alone_has_no_suggestion(noise):
    spurious = 0
    for seed in range(40):
        losses = 2 + noise * np.random.default_rng(seed).normal(size=100)
        result = analyze_losses(rates(100), losses, 100)
        spurious += np.isfinite(result.suggestion)
    assert spurious <= 4
    flat = analyze_losses(rates(100), np.full(100, 2.0), 100)
    assert np.isnan(flat.suggestion) and "the loss does not fall between 1e-06 and 10" in flat.message


def bowl(x):
    """Curvatures 1 to 10: rates below 0.2 converge."""
    return jnp.sum(jnp.asarray([1.0, 10.0]) * x**2) / 2


RULES = {
    "rule": tw.SGD(1e-9),
    "schedule": tw.SGD(tw.schedules.Cosine(1e-9)),
    "wrapper": tw.Clip(tw.SGD(1e-9), 1e9),
    "groups": tw.Partition({"**": tw.Clip(tw.SGD(1e-9), 1e9)}),
    "solver": tw.FirstOrder(tw.SGD(1e-9)),
}


@pytest.mark.parametrize("name", RULES)
def test_the_rate_is_replaced_wherever_it_stands(name):
    result = tw.landscape.learning_rate_range(bowl, np.ones(2), RULES[name], low=1e-4, high=100, steps=60)
    assert 1e-3 < result.suggestion < 0.2
    assert result.interval[0] < result.suggestion < result.interval[1] < 1
    plain = tw.landscape.learning_rate_range(bowl, np.ones(2), tw.SGD(1.0), low=1e-4, high=100, steps=60)
    np.testing.assert_allclose(result.losses[:40], plain.losses[:40], rtol=1e-5 if X64 else 1e-3)
    assert result.rates[0] == pytest.approx(1e-4)
    assert result.rates[1] / result.rates[0] == pytest.approx(1e6 ** (1 / 59))
    assert len(result.rates) < 60, "it ends where the loss explodes"


def test_the_losses_are_those_after_the_step():
    result = tw.landscape.learning_rate_range(bowl, np.ones(2), tw.SGD(1.0), low=1e-3, high=0.1, steps=20)
    x, expected = np.ones(2), []
    for rate in result.rates:
        x = x - rate * np.asarray([1.0, 10.0]) * x
        expected.append(float(bowl(x)))
    np.testing.assert_allclose(result.losses, expected, rtol=1e-10 if X64 else 1e-4)
    assert "still falling at the end: raise high" in result.message


def test_where_nothing_falls():
    everywhere = tw.landscape.learning_rate_range(bowl, np.ones(2), tw.SGD(1.0), low=10, high=1e3)
    assert np.isnan(everywhere.suggestion) and "lower low=" in everywhere.message
    nowhere = tw.landscape.learning_rate_range(lambda x: jnp.sum(x) * 0 + 1, np.ones(2), tw.SGD(1.0))
    assert "the loss does not fall" in nowhere.message and np.isnan(nowhere.interval).all()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("make", "grid"),
    [(tw.SGD, (0.03, 0.1, 0.3, 1.0, 3.0)), (tw.Adam, (1e-3, 3e-3, 0.01, 0.03, 0.1))],
)
def test_on_the_digits_it_is_near_the_best_constant_rate(make, grid):
    """Within a factor of ten of the best of a short sweep, and far better than a tenth of what it says."""
    job = problems.digits()
    found = tw.landscape.learning_rate_range(job.problem, job.x0, make(1.0), batch_size=64)

    def trained(rate):
        stop = tw.Epochs(3)
        return tw.minimize(
            job.problem, job.x0, make(rate), batch_size=64, stop=stop, on_failure="ignore"
        ).validation.value[-1]

    best = grid[int(np.argmin([trained(rate) for rate in grid]))]
    assert best / 10 < found.suggestion < best * 10
    assert trained(found.suggestion) < 0.5 * trained(found.suggestion / 10)
    again = tw.landscape.learning_rate_range(job.problem, job.x0, make(1.0), batch_size=64)
    np.testing.assert_array_equal(again.losses, found.losses)


BAD = {
    "low": (dict(low=0), ValueError, r"learning_rate_range\(low=0\): low must be a finite number > 0"),
    "high": (dict(high=np.inf), ValueError, "high must be a finite number"),
    "order": (dict(low=1.0, high=0.1), ValueError, "low must be less than high"),
    "steps": (dict(steps=5), ValueError, "steps must be a whole number >= 20"),
    "no rate": (dict(rule=tw.LBFGS()), ValueError, "has no learning_rate; give a rule such as tw.SGD"),
    "optax": (dict(rule=optax.sgd(0.1)), TypeError, "the learning rate of an Optax transformation cannot be changed"),
    "no method": (dict(rule="sgd"), ValueError, "str has no learning_rate"),
    "no data": (dict(batch_size=3), ValueError, "batch_size=3 needs data"),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD.values(), ids=BAD)
def test_refused(change, error, message):
    arguments = {"problem": bowl, "x0": np.ones(2), "rule": tw.SGD(0.1)} | change
    with pytest.raises(error, match=message):
        tw.landscape.learning_rate_range(**arguments)


def test_the_picture_and_the_summary():
    result = analyze_losses(rates(100), curve(rates(100), 0.05), 100)
    text = str(result).splitlines()
    assert text[0].startswith("Learning-rate range test: the loss falls most steeply at a learning rate of 0.0")
    assert [line.split()[0] for line in text[1:]] == ["suggestion", "interval", "tried"]
    axes = plot.range_test(result, unit="nats")
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("learning rate", "loss (nats)", "log")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[:2] == ["loss", "smoothed"] and f"suggestion {result.suggestion:.2g}" in labels
    assert axes.get_ylim()[1] < 6, "the explosion does not flatten the rest"
    nothing = analyze_losses(rates(100), np.full(100, 2.0), 100)
    for drawn in (
        axes,
        plot.range_test(nothing),
        plot.range_test(analyze_losses(rates(3), np.full(3, np.nan), 100)),
    ):
        drawn.figure.savefig(io.BytesIO(), format="png")
    plt.close("all")
    assert initial_loss(result.losses, 100) == pytest.approx(2.3, abs=0.1)
