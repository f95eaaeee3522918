"""Row 10 without gradients: integers and booleans work, or get one sentence before anything is compiled."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.faults.chosen import chosen
from tests.helpers import X64, compilations, sampled

FLIPS, TURNS = tw.SimulatedAnnealing(tw.moves.BitFlip(), 1.0, 5), tw.SimulatedAnnealing(tw.moves.TwoOpt(), 1.0, 5)
WALK = tw.SimulatedAnnealing(tw.moves.GaussianMove(0.1), 1.0, 5)


def bits_on(x):
    """How many bits are on."""
    return jnp.sum(jnp.where(x.astype(bool), 1.0, 0.0))


@pytest.mark.parametrize("dtype", sampled(["bool", "int8", "uint8", "int32", "int64", "float32"], ["bool", "int8"]))
def test_every_dtype_of_bits_is_kept(dtype):
    x0 = np.ones(5, dtype)
    result = tw.minimize(bits_on, x0, FLIPS, stop=tw.Steps(10))
    assert result.x.dtype == (dtype if X64 or dtype != "int64" else np.int32)
    assert result.value == 0.0
    np.testing.assert_array_equal(x0, np.ones(5, dtype), "the input is never changed")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: tw.minimize(bits_on, np.ones(5, int)), "floating-point array.*tw.SimulatedAnnealing"),
        (lambda: tw.minimize(bits_on, np.ones(5, bool), tw.Adam()), "holds no floating-point array"),
        (lambda: tw.minimize(bits_on, {}, FLIPS), "holds no array to optimize"),
        (lambda: tw.minimize(bits_on, np.asarray(["a"]), FLIPS), "holds no array to optimize"),
        (lambda: tw.minimize(bits_on, np.ones(3, complex), WALK), "complex"),
        (lambda: tw.minimize(bits_on, np.ones(3, int), WALK), "x0 has none: tw.moves.TwoOpt"),
        (lambda: tw.minimize(bits_on, np.ones((2, 2), int), TURNS), r"one axis, and x0 has the shapes \(2, 2\)"),
        (lambda: tw.minimize(bits_on, np.ones(1, int), TURNS), "TwoOpt"),
        (
            lambda: tw.minimize(bits_on, np.ones(3, int), tw.SimulatedAnnealing(tw.moves.BitFlip(4), 1.0)),
            "at least 4 entries",
        ),
        (
            lambda: tw.minimize(bits_on, np.ones(3, int), FLIPS, stop=tw.GradNorm(1e-3)),
            "GradNorm.*never fires.*tw.Steps",
        ),
        (lambda: tw.minimize(bits_on, np.ones(3), FLIPS, stop=tw.GradNorm(1e-3) | tw.Steps(9)), "no residual"),
        (lambda: tw.minimize(bits_on, np.ones(3, int), FLIPS, stop=tw.StepNorm(1e-3)), "holds integers"),
        (lambda: tw.minimize(lambda x: jnp.sum(x), np.ones(3, int), FLIPS), "return a float"),
        (lambda: tw.minimize(tw.Problem(bits_on, nonsmooth=tw.L1(1.0)), np.ones(3), FLIPS), "would ignore nonsmooth"),
        (
            lambda: tw.minimize(
                bits_on,
                np.ones(3, int),
                tw.SimulatedAnnealing(tw.moves.BitFlip(), tw.schedules.Exponential(1.0, 0.1, None)),
                stop=tw.Target(0.5),
            ),
            "as long as the run",
        ),
        (lambda: tw.SimulatedAnnealing(tw.moves.BitFlip, 1.0), "move=.*tw.moves.Move"),
        (lambda: tw.SimulatedAnnealing(tw.moves.BitFlip(), -1.0), "temperature=-1.0"),
        (lambda: tw.SimulatedAnnealing(tw.moves.BitFlip(), float("nan")), "temperature=nan"),
        (lambda: tw.SimulatedAnnealing(tw.moves.BitFlip(), 1.0, 0), "proposals=0"),
        (lambda: tw.moves.GaussianMove(0.0), "scale=0.0"),
        (lambda: tw.moves.BitFlip(0), "count=0"),
        (lambda: tw.moves.BitFlip(1.5), "count=1.5"),
    ],
)
def test_one_sentence_before_anything_is_compiled(call, match):
    with compilations() as programs, pytest.raises((ValueError, TypeError), match=match):
        call()
    assert [name for name in programs if "flat" in name] == []


def test_a_tree_of_integers_floats_and_keys():
    """Numbers are variables; what is no number is held fixed."""
    x0 = {"bits": np.ones(3, np.int8), "name": "fixed", "none": None}
    result = tw.minimize(lambda x: bits_on(x["bits"]) + len(x["name"]), x0, FLIPS, stop=tw.Steps(10))
    assert (result.x["name"], result.x["none"], result.value) == ("fixed", None, 5.0)


def test_integers_may_have_bounds_open_on_one_side():
    problem = tw.Problem(bits_on, bounds=tw.Bounds(upper=1))
    result = tw.minimize(problem, np.ones(4, np.int32), FLIPS, stop=tw.Steps(8), keep="best")
    assert (result.value, result.infeasibility, result.x.dtype) == (0.0, 0.0, np.int32)


def walled(x, _):
    """Neither NaN nor an infinity ends it."""
    return jnp.where(x[0] > 1.5, jnp.nan, jnp.where(x[0] < -1.5, jnp.inf, -jnp.abs(x[0])))


def hole(x, _):
    return jnp.where(x[0] > 1, -jnp.inf, -x[0])


def wander(fun, **options):
    method = tw.SimulatedAnnealing(tw.moves.GaussianMove(1.0), 1.0, 50)
    return tw.minimize(chosen((walled, hole), fun), np.zeros(1), method, stop=tw.Steps(20), **options)


def test_a_proposal_that_is_not_a_number_is_never_accepted():
    result = wander(walled)
    assert result.status is tw.Status.STEP_LIMIT
    assert np.isfinite(result.trace.extra["walker"]).all()
    assert -1.5 <= result.value < -1.2


def test_minus_infinity_is_no_minimum():
    result = wander(hole, on_failure="ignore")
    assert result.status is tw.Status.DIVERGED
    assert not result.ok
