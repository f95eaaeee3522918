"""Annealing: the walk follows Boltzmann, the best is kept, and integers go all the way through the driver."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import EPS, assert_same, at_once, examples, zoo
from thalweg.problems.zoo import shortest_tour

FLOAT = jnp.result_type(float)
ENERGIES = np.asarray([0.0, 0.7, 0.3, 1.5])


def energy(bits):
    """One of four states, coded in two bits."""
    return jnp.asarray(ENERGIES, FLOAT)[2 * bits[0] + bits[1]]


@pytest.mark.parametrize("temperature", [0.4, 1.0])
def test_at_a_fixed_temperature_the_walk_visits_states_by_their_boltzmann_weight(temperature):
    """Chi-square with 3 degrees of freedom, over 2000 visits far enough apart to be independent."""
    # odd: even chains keep the parity of flips
    method = tw.SimulatedAnnealing(tw.moves.BitFlip(), temperature, proposals=21)
    trace = tw.minimize(energy, np.zeros(2, np.int32), method, stop=tw.Steps(2100)).trace
    visits = [np.isclose(trace.extra["walker"][100:2100], e, atol=1e-6).sum() for e in ENERGIES]
    weights = np.exp(-ENERGIES / temperature)
    expected = 2000 * weights / weights.sum()
    assert sum(visits) == 2000
    assert np.sum((visits - expected) ** 2 / expected) < 16.3, "the 0.1 % quantile"
    assert np.all(trace.extra["temperature"] == pytest.approx(temperature))


def test_the_best_point_is_never_lost_and_info_describes_it():
    known = zoo("rastrigin")
    method = tw.SimulatedAnnealing(tw.moves.GaussianMove(0.7), 20.0, proposals=10)
    result = tw.minimize(known.problem, known.x0, method, stop=tw.Steps(200))
    assert np.all(np.diff(result.trace.value) <= 0)
    assert np.any(np.diff(result.trace.extra["walker"]) > 0), "the walk climbs"
    assert np.all(result.trace.extra["walker"] >= result.trace.value)
    assert np.all((result.trace.extra["acceptance"] >= 0) & (result.trace.extra["acceptance"] <= 1))
    assert np.isnan(result.trace.optimality).all()
    assert float(at_once(tw.Problem.value, known.problem, result.x)) == pytest.approx(result.value, rel=100 * EPS)
    assert result.best.value == result.value


def squares(x):
    return jnp.sum(x**2)


def test_at_temperature_zero_the_walk_is_greedy():
    result = tw.minimize(squares, np.ones(3), tw.SimulatedAnnealing(tw.moves.GaussianMove(0.1), 0.0, 5))
    np.testing.assert_array_equal(result.trace.extra["walker"], result.trace.value)
    assert result.value < 0.01


def test_a_run_without_a_residual_ends_well_after_the_default_length():
    result = tw.minimize(squares, np.ones(3), tw.SimulatedAnnealing(tw.moves.GaussianMove(0.1), 0.01, 5))
    assert (result.status, result.ok, result.steps) == (tw.Status.STEP_LIMIT, True, 1000)
    assert "not measured" in str(result)


@pytest.mark.thorough
def test_rastrigin_is_found_and_polished():
    known = zoo("rastrigin")
    found = tw.minimize(known.problem, known.x0, tw.METHODS["simulated-annealing"].example("rastrigin"), restarts=4)
    assert found.value < 0.1
    assert float(jnp.abs(found.x).max()) < 0.03
    polished = tw.minimize(known.problem.objective.fun, found.x)
    assert polished.value < 1e3 * EPS


def test_moves_stay_within_the_bounds():
    box = tw.Bounds(np.asarray([-1.0, 0.0], FLOAT), np.asarray([1.0, np.inf], FLOAT))
    problem = tw.Problem(lambda x: jnp.where((jnp.abs(x[0]) <= 1) & (x[1] >= 0), jnp.sum(x), -100.0), bounds=box)
    method = tw.SimulatedAnnealing(tw.moves.GaussianMove(1.0), 5.0)
    result = tw.minimize(problem, np.asarray([5.0, -3.0], FLOAT), method, stop=tw.Steps(20), restarts=3)
    assert result.restarts.values.min() > -1.01, "outside the value would be -100"
    assert result.infeasibility == 0.0
    assert result.value == pytest.approx(-1.0, abs=0.2)


def test_reflection_is_a_mirror_and_works_for_integers():
    box = tw.Bounds(-1.0, 2.0)
    reflected = at_once(tw.Bounds.reflect, box, np.asarray([-1.5, 0.5, 2.25, 9.0], FLOAT))
    np.testing.assert_allclose(reflected, [-0.5, 0.5, 1.75, -1.0])
    whole = at_once(tw.Bounds.project, tw.Bounds(0.5, np.inf), np.asarray([-3, 1, 7], np.int32))
    np.testing.assert_array_equal(whole, [1, 1, 7])
    assert whole.dtype == jnp.int32


def test_the_shortest_tour_is_that_of_brute_force():
    places = np.random.default_rng(1).random((7, 2))

    def length(order):
        path = places[[6, *order]]
        return np.linalg.norm(path - np.roll(path, 1, axis=0), axis=1).sum()

    assert shortest_tour(places) == pytest.approx(min(length(p) for p in itertools.permutations(range(6))), rel=1e-12)


@pytest.mark.thorough
def test_restarts_share_the_start_and_part_by_their_keys():
    known = zoo("tour")
    method = tw.SimulatedAnnealing(tw.moves.TwoOpt(), 0.3, proposals=5)
    result = tw.minimize(known.problem, known.x0, method, stop=tw.Steps(4), restarts=6)
    assert len(set(result.restarts.values)) > 3
    assert result.value == result.restarts.values.min()
    assert float(at_once(tw.Problem.value, known.problem, result.x)) == pytest.approx(result.value, rel=100 * EPS)


def test_a_run_in_two_parts_saves_and_repeats_bit_for_bit():
    known, stop = zoo("tour"), tw.Steps(12)
    method = tw.SimulatedAnnealing(tw.moves.TwoOpt(), tw.schedules.Exponential(1.0, 0.5), proposals=5)
    whole = tw.minimize(known.problem, known.x0, method, stop=stop, seed=3)
    begun = tw.minimize(known.problem, known.x0, method, stop=tw.Steps(5), seed=3)
    ended = tw.minimize(known.problem, known.x0, method, stop=stop, seed=3, state=begun.state)
    assert_same(ended.x, whole.x)
    assert_same(tw.minimize(known.problem, known.x0, method, stop=stop, seed=3, chunk=1).trace, whole.trace)
    assert (
        tw.minimize(known.problem, known.x0, method, stop=stop, seed=4).trace.extra["walker"][-1]
        != (whole.trace.extra["walker"][-1])
    )
    assert tw.from_config(json.loads(json.dumps(whole.config))["method"]).move == method.move


# Moves.


def drawn_and_moved(move, seed, x, count):
    drawn = move.draw(jax.random.key(seed), x, count)
    return drawn, jax.vmap(move, in_axes=(None, 0))(x, drawn)


def moved_by(move, seed, x, count):
    """So many draws by one seed, and where each of them leads from the same point: one program for all seeds."""
    return jax.tree.map(np.asarray, at_once(drawn_and_moved, move, np.uint32(seed), x, count))


@settings(max_examples=examples(15))
@given(seed=st.integers(0, 2**31), n=st.sampled_from([2, 3, 9]), dtype=st.sampled_from(["int8", "uint16", "float32"]))
def test_a_permutation_stays_one(seed, n, dtype):
    x = np.arange(n).astype(dtype)
    _, moved = moved_by(tw.moves.TwoOpt(), seed, x, 20)
    assert moved.dtype == x.dtype
    np.testing.assert_array_equal(np.sort(moved, 1), np.tile(np.arange(n), (20, 1)))
    assert not np.any(np.all(moved == x, axis=1)), "two different places: something moves"


@settings(max_examples=examples(15))
@given(
    seed=st.integers(0, 2**31),
    count=st.sampled_from([1, 3]),
    dtype=st.sampled_from(["bool", "int8", "float32"]),
)
def test_bits_stay_bits_and_exactly_so_many_change(seed, count, dtype):
    x = np.random.default_rng(seed).integers(0, 2, (2, 3)).astype(dtype)
    _, moved = moved_by(tw.moves.BitFlip(count), seed, x, 20)
    assert moved.dtype == x.dtype
    assert set(np.unique(moved.astype(int))) <= {0, 1}
    assert np.all((moved != x).sum((1, 2)) == count)


def test_places_are_uniform():
    drawn, _ = moved_by(tw.moves.TwoOpt(), 0, np.arange(5), 20_000)
    pairs, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(pairs) == 10
    assert np.all(pairs[:, 0] < pairs[:, 1])
    assert np.sum((counts - 2000) ** 2 / 2000) < 27.9, "the 0.1 % quantile with 9 degrees of freedom"


def test_a_gaussian_move_leaves_integers_beside_it_alone():
    x = {"n": np.arange(3), "w": np.zeros((2, 2), jnp.bfloat16), "v": np.zeros(2, np.float32)}
    _, moved = moved_by(tw.moves.GaussianMove(0.5), 0, x, 500)
    np.testing.assert_array_equal(moved["n"], np.tile(np.arange(3), (500, 1)))
    assert (moved["w"].dtype, moved["v"].dtype) == (jnp.bfloat16, jnp.float32)
    assert float(np.std(moved["v"])) == pytest.approx(0.5, rel=0.1)
