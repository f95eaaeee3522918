"""Many runs in one call: each ends by itself, as it would have alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import EPS, X64, at_once, sampled
from thalweg.core.ranking import Rank, is_at_least_as_good, ranked
from thalweg.run.many.pool import LANES_ON_CPU, lanes_for

FLOAT = np.float64 if X64 else np.float32
RANDOM = np.random.default_rng(7)
STARTS = RANDOM.normal(size=(5, 4)).astype(FLOAT)
CENTERS = RANDOM.normal(size=(5, 4)).astype(FLOAT)


def valley(x):
    return jnp.sum(10 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def distance(x, center):
    return jnp.sum(jnp.cosh(x - center) - 1)


OTHERS = [
    pytest.param(method, marks=pytest.mark.thorough) for method in (tw.LBFGS(), tw.SteepestDescent(), tw.TrustRegion())
]


@pytest.mark.parametrize("method", [tw.Adam(0.1), *OTHERS], ids=lambda m: type(m).__name__)
def test_ten_steps_together_are_ten_steps_alone(method):
    stop = tw.Steps(10)
    together = tw.minimize_batch(valley, STARTS, method, stop=stop)
    assert together.x.shape == STARTS.shape
    assert together.x.dtype == FLOAT
    for run, start in enumerate(STARTS):
        alone = tw.minimize(valley, start, method, stop=stop)
        one = together[run]
        tolerance = 1e4 * EPS  # 1e-12 in float64
        np.testing.assert_allclose(one.x, alone.x, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(one.trace.value, alone.trace.value, rtol=1e2 * tolerance)
        assert (one.steps, one.status, one.message) == (alone.steps, alone.status, alone.message)
        assert one.evals == alone.evals


def test_runs_end_at_their_own_steps_and_in_order():
    scales = np.array([1.0, 1e-3, 10.0], FLOAT)
    starts = scales[:, None] * np.ones((3, 4), FLOAT)
    result = tw.minimize_batch(valley, starts, tw.LBFGS(), stop=tw.GradNorm(1e-3) | tw.Steps(500))
    assert result.steps[0] == 1, "the first starts at the solution"
    assert len(set(result.steps)) == 3
    assert result.ok.all()
    np.testing.assert_allclose(result.x, 1, atol=1e-2)
    values, grads = map(np.asarray, jax.jit(jax.vmap(jax.value_and_grad(valley)))(result.x))
    for run in range(3):
        assert result.value[run] == pytest.approx(float(values[run]), rel=1e-3, abs=1e-9)
        assert result.optimality[run] == pytest.approx(float(np.abs(grads[run]).max()), rel=1e-2, abs=EPS)


def test_more_runs_than_lanes_share_one_program():
    number = 2 * LANES_ON_CPU + 3
    centers = np.linspace(-3, 3, number, dtype=FLOAT)[:, None]
    result = tw.minimize_batch(distance, np.zeros((number, 1), FLOAT), tw.LBFGS(), data=centers)
    np.testing.assert_allclose(result.x, centers, atol=1e-3)
    assert (lanes_for(1), lanes_for(3), lanes_for(number)) == (1, 4, LANES_ON_CPU)
    assert (
        tw.minimize_batch(
            distance, np.zeros((5 * LANES_ON_CPU, 1), FLOAT), tw.LBFGS(), data=np.tile(centers[:5], (LANES_ON_CPU, 1))
        ).seconds.compile
        == 0
    )


@pytest.mark.thorough
def test_each_run_has_its_own_data():
    own = tw.minimize_batch(distance, STARTS, data=CENTERS)
    np.testing.assert_allclose(own.x, CENTERS, atol=20 * EPS**0.5)


@pytest.mark.thorough
def test_its_own_data_may_be_a_tree():
    tree = tw.minimize_batch(
        lambda x, d: d["scale"] * distance(x, d["at"]),
        STARTS,
        data={"at": CENTERS, "scale": np.arange(1.0, 6, dtype=FLOAT)},
    )
    np.testing.assert_allclose(tree.x, CENTERS, atol=20 * EPS**0.5)


@pytest.mark.thorough
def test_all_runs_share_the_problems_data():
    shared = tw.minimize_batch(tw.Problem(lambda x, d: jnp.mean(jnp.square(d - x)), CENTERS), STARTS)
    np.testing.assert_allclose(shared.x, np.tile(CENTERS.mean(0), (5, 1)), atol=20 * EPS**0.5)
    assert np.all(shared.evals.examples == 5 * shared.evals.value)


def test_a_run_that_fails_disturbs_no_other():
    data = CENTERS.copy()
    data[2] = np.nan
    with pytest.warns(tw.MinimizeWarning, match="1 of 5 runs failed; run 2: NONFINITE"):
        result = tw.minimize_batch(distance, STARTS, data=data)
    assert result.ok.tolist() == [True, True, False, True, True]
    assert result[2].status is tw.Status.NONFINITE
    assert "no point of this run is finite" in result[2].message
    np.testing.assert_allclose(np.delete(result.x, 2, 0), np.delete(CENTERS, 2, 0), atol=20 * EPS**0.5)
    np.testing.assert_array_equal(result.x[2], STARTS[2])
    with pytest.raises(tw.MinimizeError, match="5 runs: 4 CONVERGED, 1 NONFINITE"):
        tw.minimize_batch(distance, STARTS, data=data, on_failure="raise")


def test_a_run_that_blows_up_returns_its_best_point():
    starts = np.array([[0.5], [3.0]], FLOAT)
    result = tw.minimize_batch(lambda x: jnp.sum(x**4), starts, tw.SGD(0.1), stop=tw.Steps(60), on_failure="ignore")
    assert result.status.tolist() == [tw.Status.STEP_LIMIT, tw.Status.NONFINITE]
    assert result.x[1] == starts[1]
    assert result.value[1] == 81
    assert np.abs(result.x[0]) < 0.5


def test_trees_and_what_is_held_fixed():
    starts = {"w": STARTS, "b": STARTS[:, 0], "name": "fixed", "power": 2}
    result = tw.minimize_batch(lambda p: jnp.sum(p["w"] ** p["power"]) + (p["b"] - 1) ** 2, starts, tw.SGD(0.25))
    assert result.x["name"] == "fixed"
    assert result[1].x["power"] == 2
    assert result[1].x["w"].shape == (4,)
    np.testing.assert_allclose(result.x["b"], 1, atol=EPS**0.5)


@pytest.mark.thorough
def test_bounds():
    problem = tw.Problem(lambda x: jnp.sum((x - 2) ** 2), bounds=tw.Bounds(-1.0, np.array([0.0, 1.0, 5.0, 5.0], FLOAT)))
    with pytest.warns(tw.MinimizeWarning, match="some starts lie outside the bounds"):
        result = tw.minimize_batch(problem, 3 * STARTS)
    np.testing.assert_allclose(result.x, np.tile([0.0, 1, 2, 2], (5, 1)), atol=1e-3)


@pytest.mark.thorough
def test_a_penalty():
    lasso = tw.minimize_batch(tw.Problem(lambda x: jnp.sum((x - 2) ** 2), nonsmooth=tw.L1(1.0)), STARTS, tw.FISTA())
    np.testing.assert_allclose(lasso.x, 1.5, atol=1e-3)
    assert lasso.ok.all()


def test_the_summary_and_the_lowest_run():
    result = tw.minimize_batch(
        lambda x: jnp.sum(jnp.cos(3 * x) + x**2), np.linspace(-2, 2, 6, dtype=FLOAT)[:, None], tw.SGD(0.05)
    )
    assert result.best == int(np.argmin(result.value))
    assert len(result) == 6
    text = repr(result)
    assert "6 runs: 6 CONVERGED" in text
    assert "lowest" in text
    with pytest.raises(IndexError, match=r"result\[6\]: there are 6 runs"):
        result[6]


def test_restarts_keep_the_best_point_of_the_best_lane():
    bumpy = lambda x: jnp.sum(jnp.cos(3 * x) + 0.1 * x**2)  # noqa: E731
    result = tw.minimize(bumpy, STARTS[0], tw.SGD(0.3), restarts=4, stop=tw.Steps(25), keep="best")
    assert result.value == result.best.value == result.trace.value.min()
    assert result.value == pytest.approx(float(at_once(bumpy, result.x)), rel=1e-5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tw.minimize_batch(valley, np.float64(1.0)), "starts is a single number: .* leading axis of runs"),
        (lambda: tw.minimize_batch(valley, {"a": np.ones((2, 3)), "b": np.ones((4, 3))}), "a.* has 2.*b.* has 4"),
        (lambda: tw.minimize_batch(valley, np.ones((0, 3))), "starts are empty"),
        (lambda: tw.minimize_batch(valley, np.array([[1.0, np.nan]])), r"starts\[0, 1\] is nan"),
        (lambda: tw.minimize_batch(distance, STARTS, data=CENTERS[:3]), "data has 3 rows and there are 5 starts"),
        (lambda: tw.minimize_batch(distance, STARTS, data=2.0), "data is a single number and there are 5 starts"),
        (lambda: tw.minimize_batch(tw.Problem(distance, data=iter([CENTERS])), STARTS), "brings batches"),
        (lambda: tw.minimize_batch(tw.Problem(distance, CENTERS, validation=CENTERS), STARTS), "validation goes with"),
        (lambda: tw.minimize_batch(valley, STARTS, stop=tw.Patience(3)), "counts validations"),
        (lambda: tw.minimize_batch(valley, STARTS, tw.FISTA), "is not configured: call it"),
        (lambda: tw.minimize_batch(valley, STARTS, on_failure="hide"), "on_failure='hide'"),
        (lambda: tw.minimize_batch(valley, STARTS, seed=-1), "seed=-1"),
        (lambda: jax.jit(lambda x: tw.minimize_batch(valley, x).x)(STARTS), "under jit, vmap or grad"),
    ],
)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        call()


@pytest.mark.thorough
def test_constraints_that_cannot_be_met_are_named_for_every_run():
    """`|x| = -1` has no solution; `x` returns what is nearest."""
    problem = tw.Problem(lambda x: jnp.sum(x**2), equality=lambda x: {"circle": x @ x + 1.0})
    result = tw.minimize_batch(
        problem, np.array([[1.0, 1.0], [2.0, 0.5]]), tw.AugmentedLagrangian(), on_failure="ignore"
    )
    for run in range(2):
        assert result[run].status == tw.Status.INFEASIBLE
        assert result[run].message.endswith("near this point: equality[circle] is violated by 1.")


RATES = np.asarray([0.01, 0.03, 0.1, 0.3, 0.02], FLOAT)


NUMBERED = {
    "rule": lambda rate: tw.Adam(rate),
    "schedule": lambda rate: tw.SGD(tw.schedules.WarmupCosine(rate / 30, warmup=3)),
    "search": lambda rate: tw.SteepestDescent(tw.line_search.Backtracking(rate)),
}


@pytest.mark.parametrize("kind", sampled(NUMBERED, ["rule"]))
def test_each_run_may_have_its_own_numbers(kind):
    method = NUMBERED[kind]
    stop = tw.Steps(12)
    together = tw.minimize_batch(valley, STARTS, method(RATES), stop=stop)
    for run, start in enumerate(STARTS):
        alone = tw.minimize(valley, start, method(float(RATES[run])), stop=stop)
        np.testing.assert_allclose(together.x[run], alone.x, rtol=1e4 * EPS, atol=1e4 * EPS)
        assert together[run].steps == alone.steps


@pytest.mark.thorough
def test_an_array_of_the_shape_of_a_variable_is_shared():
    scales, stop = np.asarray([0.1, 0.2, 0.3, 0.4], FLOAT), tw.Steps(3)
    shared = tw.SimulatedAnnealing(tw.moves.GaussianMove(scales), 0.1)
    each = tw.SimulatedAnnealing(tw.moves.GaussianMove(np.tile(scales, (5, 1))), 0.1)
    together = tw.minimize_batch(valley, STARTS, shared, stop=stop)
    np.testing.assert_allclose(tw.minimize_batch(valley, STARTS, each, stop=stop).x, together.x, rtol=1e4 * EPS)


@pytest.mark.thorough
def test_each_run_may_have_its_own_seed():
    method = tw.SimulatedAnnealing(
        tw.moves.GaussianMove(0.3), temperature=tw.schedules.Exponential(1.0, 1e-2, every=None)
    )
    stop, seeds = tw.Steps(5), np.arange(5) + 11
    together = tw.minimize_batch(valley, STARTS, method, stop=stop, seed=seeds)
    for run, start in enumerate(STARTS):
        alone = tw.minimize(valley, start, method, stop=stop, seed=int(seeds[run]))
        np.testing.assert_allclose(together.x[run], alone.x, rtol=1e4 * EPS)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tw.minimize_batch(valley, STARTS, tw.Adam(np.array([0.1, 0.2]))), "learning_rate has shape"),
        (lambda: tw.minimize_batch(valley, STARTS, tw.Adam(), seed=np.array([1, 2])), "seed has shape"),
        (lambda: tw.minimize_batch(valley, STARTS, tw.Adam(), seed=np.full(5, 0.5)), "seed has shape"),
    ],
)
def test_numbers_and_seeds_are_one_for_all_or_one_a_run(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize("violation", [0.0, 1e-7, 1e-5, 1e-2])
def test_feasible_and_lower_is_one_definition(violation):
    """The rank of a point is the same number in a lane, where it is traced, and for the driver, in NumPy."""
    value = np.asarray(2.0, FLOAT)
    host = ranked(value, np.asarray(violation, FLOAT))
    lane = at_once(ranked, value, np.asarray(violation, FLOAT))
    assert float(host.excess) == float(lane.excess)
    assert (float(host.excess) == 0) == (violation <= max(1e-6, EPS**0.5))
    worse, lower, equal = Rank(1.0, 0.0), Rank(0.0, 1.0), Rank(0.0, 1.0)
    assert is_at_least_as_good(lower, worse) and not is_at_least_as_good(worse, lower)
    assert is_at_least_as_good(equal, lower), "of equals the later one"


def test_the_best_point_of_a_lane_is_that_of_a_run_alone():
    method, stop = tw.Adam(1.0), tw.Steps(60)
    together = tw.minimize_batch(valley, STARTS, method, stop=stop)
    for run, start in enumerate(STARTS):
        best = tw.minimize(valley, start, method, stop=stop).best
        assert int(together.ended.best.step[run]) == best.step
        np.testing.assert_allclose(together.ended.best.x[run], best.x, rtol=1e5 * EPS)
