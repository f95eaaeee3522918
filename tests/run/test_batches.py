"""Mini-batches of data in memory: every example once an epoch, in orders of which none is more likely than another."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from tests.helpers import assert_close, compilations, examples, sampled
from tests.run.training import (
    CLOSE,
    EXAMPLES,
    METHOD,
    assert_same_run,
    by_hand,
    in_memory,
    loss,
    seen,
    start,
    table,
    taken,
)
from thalweg.core.batches import epoch_word, shuffled

FEW, MANY = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24), (25, 26, 120, 127, 256, 257, 65_536, 65_537, 99_999)
"""Sizes beside squares and powers of two: the grid of the cipher is almost square."""


@functools.partial(jax.jit, static_argnums=(0, 1))
def two_epochs(batches: tw.Batches, n: int, seed: jax.Array) -> jax.Array:
    """The examples of two epochs in the order in which they are seen, by `take`."""
    data, key = jnp.arange(n), jax.random.key(seed)
    full, per_epoch = batches.full(n), batches.steps(n)
    steps = jnp.arange(2 * per_epoch, dtype=jnp.int32).reshape(2, per_epoch)
    orders = jax.vmap(lambda t: batches.take(data, key, t))(steps[:, :full].reshape(-1)).reshape(2, -1)
    if batches.short(n):
        last = jax.vmap(lambda t: batches.take(data, key, t, short=True))(steps[:, full])
        orders = jnp.concatenate([orders, last], axis=1)
    return orders


def epochs(batches: tw.Batches, n: int, seed: int) -> list[list[int]]:
    """Two epochs as lists."""
    return np.asarray(two_epochs(batches, n, np.uint32(seed))).tolist()


@pytest.mark.thorough
@settings(max_examples=15 if examples(100) == 100 else 6)  # almost every example compiles
@given(st.data(), st.sampled_from(FEW), st.sampled_from(["keep", "drop"]), st.booleans())
def test_every_example_is_taken_once_an_epoch(data, n, last, shuffle):
    size = data.draw(st.integers(1, n))
    batches = tw.Batches(size, last, shuffle)
    whole = n if last == "keep" else n - n % size
    for order in epochs(batches, n, data.draw(st.integers(0, 2**32 - 1))):
        assert len(order) == whole
        assert len(set(order)) == whole
        assert set(order) <= set(range(n))
        if not shuffle:
            assert order == list(range(whole))


@pytest.mark.parametrize("n", sampled(MANY, [25, 257, 65_537]))
def test_an_order_is_a_permutation(n):
    order = jax.jit(lambda seed: shuffled(epoch_word(jax.random.key(seed), 3), jnp.arange(n, dtype=jnp.int32), n))(5)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


@functools.cache
def many_orders(n: int, count: int, by: str) -> np.ndarray:
    """The orders of `n` examples in consecutive epochs, or under consecutive seeds."""
    batches, data, numbers = tw.Batches(n), jnp.asarray(np.arange(n)), np.arange(count, dtype=np.uint32)

    def one(number):
        seed, epoch = (11, number) if by == "epoch" else (number, 0)
        return batches.take(data, jax.random.key(seed), jnp.asarray(epoch).astype(jnp.int32))

    return np.asarray(jax.jit(jax.vmap(one))(numbers))


def excess(counts: np.ndarray, expected: float) -> float:
    """How many standard deviations the chi-square statistic of equal chances lies above its mean."""
    freedom = len(counts) - 1
    return float((np.sum((counts - expected) ** 2) / expected - freedom) / math.sqrt(2 * freedom))


@pytest.mark.parametrize("by", ["epoch", "seed"])
@pytest.mark.parametrize("n", sampled([2, 3, 4, 5], [4]))
def test_every_order_of_few_examples_is_equally_likely(n, by):
    count = 200 * math.factorial(5)
    orders = many_orders(n, count, by)
    counts = np.unique(orders @ n ** np.arange(n), return_counts=True)[1]
    assert len(counts) == math.factorial(n)
    assert excess(counts, count / len(counts)) < 5


@pytest.mark.thorough
def test_an_order_says_nothing_about_the_next_one():
    n, count = 12, 20_000
    orders = many_orders(n, count, "epoch")
    for place in range(n):
        assert excess(np.bincount(orders[:, place], minlength=n), count / n) < 5
    pairs = orders[:-1, 0] * n + orders[1:, 0]
    assert excess(np.bincount(pairs, minlength=n * n), (count - 1) / n**2) < 5
    neighbors = np.bincount(orders[:, 4] * n + orders[:, 5], minlength=n * n).reshape(n, n)
    assert excess(neighbors[~np.eye(n, dtype=bool)], count / (n * (n - 1))) < 5


def test_orders_differ_by_epoch_and_by_seed_and_repeat():
    batches = tw.Batches(8)
    first, second = epochs(batches, 24, 0)
    assert first != second
    assert epochs(batches, 24, 0) == [first, second]
    assert epochs(batches, 24, 1)[0] not in ([first, second])


@pytest.mark.parametrize("size", sampled([1, 3, 4, EXAMPLES], [4]))
@pytest.mark.parametrize("last", ["keep", "drop"])
def test_a_run_sees_every_example_once_an_epoch(size, last):
    options = {"batch_size": size, "last": last, "stop": tw.Epochs(3)}
    result = tw.minimize(in_memory(), start(), METHOD, **options)
    per_epoch = -(-EXAMPLES // size) if last == "keep" else EXAMPLES // size
    assert (result.steps, result.epochs) == (3 * per_epoch, 3.0)
    steps = seen(result)
    for epoch in range(3):
        order = [k for step in steps[epoch * per_epoch : (epoch + 1) * per_epoch] for k in step]
        assert len(order) == len(set(order)) == (EXAMPLES if last == "keep" else EXAMPLES - EXAMPLES % size)
    assert result.evals.examples == sum(map(len, steps))
    if size < EXAMPLES:
        assert steps[:per_epoch] != steps[per_epoch : 2 * per_epoch]
        assert seen(tw.minimize(in_memory(), start(), METHOD, **options)) == steps
        assert seen(tw.minimize(in_memory(), start(), METHOD, **options, seed=1)) != steps


def test_without_shuffling_the_order_of_the_data_is_kept():
    result = tw.minimize(in_memory(), start(), METHOD, batch_size=4, shuffle=False, stop=tw.Steps(7))
    assert seen(result) == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10],
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10],
        [0, 1, 2, 3],
    ]


@pytest.mark.thorough
def test_one_example_is_an_epoch():
    result = tw.minimize(in_memory(1), start(), METHOD, batch_size=1, stop=tw.Epochs(3))
    assert seen(result) == [[0], [0], [0]]


SCHEDULE = tw.schedules.WarmupCosine(0.2, warmup=3, steps=12)
RULES = {
    "constant": (tw.Adam(0.1), optax.adam(0.1)),
    "epochs": (tw.Adam(tw.schedules.WarmupCosine(0.2, warmup=tw.Epochs(1), steps=tw.Epochs(4))), optax.adam(SCHEDULE)),
}


@pytest.mark.parametrize("count", [7, 9])
@pytest.mark.parametrize("name", sampled(RULES, ["epochs"]))
def test_a_run_is_a_hand_written_loop(name, count):
    """Nine steps end an epoch of three, seven do not."""
    rule, transformation = RULES[name]
    result = tw.minimize(in_memory(), start(), rule, batch_size=4, stop=tw.Steps(count), seed=3)
    params, values = by_hand(transformation, taken(count, seed=3))
    assert_close(result.x, params, CLOSE)
    np.testing.assert_allclose(result.trace.value, values, rtol=CLOSE)


def offset(params, batch):
    """A metric."""
    return {"b": params["b"]}


VALIDATED = {"validation": table(5, seed=1), "metrics": offset}


@pytest.mark.parametrize(
    "options",
    [pytest.param({}, marks=pytest.mark.thorough), {"stop": tw.Patience(2) | tw.Steps(40), "keep": "best"}],
    ids=["plain", "best"],
)
@pytest.mark.parametrize("size", sampled([4, EXAMPLES], [4]))
def test_the_chunk_size_never_shows(size, options):
    options = {"batch_size": size, "stop": tw.Epochs(3.4), "validate_every": 2, **options}
    run = functools.partial(tw.minimize, in_memory(**VALIDATED), start(), tw.Adam(0.5), **options)
    reference = run()
    for chunk in (1, 2, 3, 7):
        assert_same_run(run(chunk=chunk), reference)
    single = run(dispatch="single")
    assert_close((single.x, single.trace), (reference.x, reference.trace), CLOSE)
    assert (single.status, single.steps, single.kept) == (reference.status, reference.steps, reference.kept)


@pytest.mark.parametrize(("size", "short"), [(4, True), pytest.param(EXAMPLES, False, marks=pytest.mark.thorough)])
def test_one_program_serves_all_runs(size, short):
    def fresh(params, batch):
        return loss(params, batch)[0]

    def run(seed=0, rate=0.1, count=3, data=table()):
        return tw.minimize(
            tw.Problem(fresh, data), start(), tw.Adam(rate), batch_size=size, stop=tw.Epochs(count), seed=seed
        )

    with compilations() as names:
        first = run()
    assert names == ["jit(flat)"], f"one program, with a short last batch: {short}"
    with compilations() as names:
        assert run(seed=1, rate=0.2, count=5).steps > first.steps
        assert run(data=table(seed=2)).trace.value[0] != first.trace.value[0]
    assert names == []


def pure(rate, seed, size=4, last="drop", batched=False, limit=None):
    """Nine steps by the pure functions."""
    problem, solver, stop = in_memory(), tw.FirstOrder(tw.Adam(rate)), tw.Never()
    batches, key = tw.Batches(size, last), jax.random.key(seed)
    carry = tw.start(problem, solver, start(), stop, key, batches)
    return tw.iterate(problem, solver, carry, stop, key, batches, capacity=9, limit=limit, batched=batched)


@pytest.mark.parametrize("last", sampled(["keep", "drop"], ["keep"]))
def test_the_pure_loop_takes_the_steps_of_the_driver(last):
    carry, trace = jax.jit(functools.partial(pure, last=last))(0.1, 3)
    result = tw.minimize(in_memory(), start(), METHOD, batch_size=4, last=last, stop=tw.Steps(9), seed=3)
    assert_close(carry.state.x, result.x, CLOSE)
    np.testing.assert_array_equal(trace.aux["seen"], result.trace.aux["seen"])


@pytest.mark.thorough
def test_a_sweep_over_rates_and_seeds_is_the_runs_one_by_one():
    rates, seeds = np.asarray([0.01, 0.1, 1.0]), np.asarray([0, 3, 3])
    carry, trace = jax.jit(jax.vmap(functools.partial(pure, batched=True)))(rates, seeds)
    run = jax.jit(pure)
    alone = [run(rate, seed) for rate, seed in zip(rates, seeds, strict=True)]
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *[(c.state.x, t) for c, t in alone])
    assert_close((carry.state.x, trace), together, CLOSE)
    assert np.array_equal(trace.aux["seen"][1], trace.aux["seen"][2])
    assert not np.array_equal(trace.aux["seen"][0], trace.aux["seen"][1])


def test_a_sweep_needs_batches_of_one_size():
    with pytest.raises(ValueError, match=r"batches of one size.*last='drop'"):
        jax.eval_shape(functools.partial(pure, last="keep", batched=True), 0.1, 0)


@pytest.mark.parametrize("last", ["keep", "drop"])
def test_more_than_all_examples_is_refused_in_the_pure_loop_too(last):
    with pytest.raises(ValueError, match=r"Batches\(size=12.*11 examples"):
        jax.eval_shape(functools.partial(pure, size=12, last=last), 0.1, 0)


@pytest.mark.parametrize(("count", "steps"), [(1 / 3, 1), (0.5, 2), (1, 3), (1.1, 4), (2.5, 8), (4 - 1e-12, 12)])
def test_fractions_of_an_epoch_are_rounded_up_to_whole_steps(count, steps):
    result = tw.minimize(in_memory(), start(), METHOD, batch_size=4, stop=tw.Epochs(count))
    assert result.steps == steps
    assert result.epochs == pytest.approx(steps / 3)


@pytest.mark.parametrize(
    ("every", "due"),
    [
        (2, [0, 2, 4, 6, 8, 9]),
        (tw.Steps(4), [0, 4, 8, 9]),
        (tw.Epochs(1), [0, 3, 6, 9]),
        (tw.Epochs(2), [0, 6, 9]),
        (tw.Epochs(0.5), [0, 2, 3, 5, 6, 8, 9]),
        (tw.Epochs(0.1), list(range(10))),
        (None, [0, 3, 6, 9]),
    ],
    ids=str,
)
def test_validations_are_due_at_multiples_of_their_period(every, due):
    problem = in_memory(validation=table(5))
    result = tw.minimize(problem, start(), METHOD, batch_size=4, stop=tw.Epochs(3), validate_every=every)
    np.testing.assert_array_equal(result.validation.step, due)
