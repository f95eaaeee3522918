"""Annealing beside its naive twin, with the same random numbers: ten steps of twenty proposals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64
from tests.twins import annealing as twin
from thalweg.core.iterate import bind

STEPS, PROPOSALS = 10, 20
COSTS = np.random.default_rng(3).random((8, 8))
"""Of city i in place j: unlike a tour's length, no two orders cost the same but for rounding."""

pytestmark = pytest.mark.skipif(not X64, reason="rounding in float32 can turn a comparison round")


CASES = {
    "gaussian": (
        lambda x: jnp.sum(x**4 - x**2),
        lambda x: float(np.sum(x**4 - x**2)),
        np.asarray([1.5, -0.5, 0.25]),
        (tw.moves.GaussianMove(0.3), twin.gaussian(0.3)),
    ),
    "two-opt": (
        lambda order: jnp.sum(jnp.asarray(COSTS)[order, jnp.arange(8)]),
        lambda order: float(sum(COSTS[city, place] for place, city in enumerate(order))),
        np.arange(8),
        (tw.moves.TwoOpt(), twin.two_opt),
    ),
    "bits": (
        lambda b: jnp.abs(jnp.sum(jnp.where(b != 0, jnp.arange(1.0, 7.0), 0.0)) - 9.5),
        lambda b: abs(sum(i + 1.0 for i, bit in enumerate(b) if bit) - 9.5),
        np.zeros(6, np.int8),
        (tw.moves.BitFlip(2), twin.bit_flip),
    ),
}


@pytest.mark.parametrize(("fun", "value", "x0", "moves"), CASES.values(), ids=CASES)
def test_ten_steps_beside_the_twin(fun, value, x0, moves):
    problem, method = tw.Problem(fun), tw.SimulatedAnnealing(moves[0], tw.schedules.Exponential(0.5, 0.7), PROPOSALS)
    stop, key = tw.Never(), jax.random.key(0)
    carry = tw.start(problem, method, x0, stop)
    one = jax.jit(lambda carry: tw.iterate(problem, method, carry, stop, key, capacity=1))
    draw = jax.jit(lambda t: method.draw(bind(problem, key, t, None, None)[1], jnp.asarray(x0)))
    draws, got = [], [carry.state]
    for t in range(STEPS):
        numbers, exponentials = draw(np.int32(t))
        leaves = jax.tree.leaves(numbers)[0]
        draws.append(list(zip(np.asarray(leaves), np.asarray(exponentials), strict=True)))
        carry, trace = one(carry)
        got.append(carry.state)
        assert float(trace.value[0]) == pytest.approx(float(got[-2].value), rel=1e-14)
    start = x0 if x0.dtype == float else x0.tolist()
    expected = twin.run(value, start, draws, neighbor=moves[1], temperature=lambda t: 0.5 * 0.7**t)
    assert 0 < np.mean([fraction for *_, fraction in expected[1:]]) < 1
    for state, (best, best_value, walker_value, _) in zip(got, expected, strict=True):
        np.testing.assert_allclose(state.x, best, rtol=1e-12)
        assert float(state.value) == pytest.approx(best_value, rel=1e-12)
        assert float(state.walker_value) == pytest.approx(walker_value, rel=1e-12)
