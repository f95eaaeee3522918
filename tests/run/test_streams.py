"""Batches from elsewhere: the same steps as by hand, in any chunks, and a state from which they go on."""

import functools
import os
import signal

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import assert_close, assert_same, compilations, sampled
from tests.run.training import (
    CLOSE,
    EXAMPLES,
    METHOD,
    NoLength,
    assert_same_run,
    by_hand,
    cut,
    in_memory,
    loss,
    seen,
    start,
    streamed,
    table,
    taken,
)

BATCHES = cut(table(), 4)
"""Two batches of four and one of three."""
IN_ORDER = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


def endless():
    """A generator."""
    while True:
        yield from BATCHES


def offset(params, batch):
    """A metric."""
    return {"b": params["b"]}


SOURCES = {
    "list": lambda: BATCHES,
    "loader": lambda: NoLength(BATCHES),
    "function": lambda: lambda epoch: cut(table(seed=epoch), 4),
    "generator": endless,
}
by_source = pytest.mark.parametrize("source", SOURCES)


def batches_of(source: str, count: int) -> list:
    """The first batches of a source."""
    made = SOURCES[source]()
    if source == "function":
        return [made(step // 3)[step % 3] for step in range(count)]
    return [BATCHES[step % 3] for step in range(count)]


@by_source
def test_a_run_is_a_hand_written_loop(source):
    result = tw.minimize(streamed(SOURCES[source]()), start(), METHOD, stop=tw.Steps(8))
    params, values = by_hand(optax.adam(0.1), batches_of(source, 8))
    assert_close(result.x, params, CLOSE)
    np.testing.assert_allclose(result.trace.value, values, rtol=CLOSE)
    assert seen(result) == [IN_ORDER[step % 3] for step in range(8)]
    assert result.evals.examples == 3 * EXAMPLES - 3
    assert result.epochs == {"list": 8 / 3, "loader": 2.0, "function": 2.0, "generator": None}[source]


def test_a_streamed_run_is_the_run_in_memory():
    """Also with a schedule in epochs, and a short last batch."""
    rule = tw.Adam(tw.schedules.WarmupCosine(0.2, warmup=tw.Epochs(1), steps=tw.Epochs(4)))
    memory = tw.minimize(in_memory(), start(), rule, batch_size=4, stop=tw.Epochs(3), seed=3)
    batches = taken(9, seed=3)
    for source in (lambda epoch: batches[3 * epoch : 3 * epoch + 3], iter(batches)):
        stop = tw.Epochs(3) if callable(source) else tw.Steps(9)
        result = tw.minimize(streamed(source, steps_per_epoch=3), start(), rule, stop=stop)
        assert_close((result.x, result.trace), (memory.x, memory.trace), CLOSE)
        assert result.evals == memory.evals


@pytest.mark.thorough
@pytest.mark.parametrize("source", sampled(["list", "loader", "generator"], ["loader"]))
def test_the_chunk_size_never_shows(source):
    options = {"stop": tw.Patience(2) | tw.Steps(17), "validate_every": 2, "keep": "best"}
    metrics = {"validation": table(5, seed=1), "metrics": offset}

    def run(**chosen):
        return tw.minimize(streamed(SOURCES[source](), **metrics), start(), tw.Adam(0.5), **options, **chosen)

    reference = run()
    assert 2 < reference.kept < reference.steps
    for chunk in (1, 2, 3, 7):
        assert_same_run(run(chunk=chunk), reference)
    single = run(dispatch="single")
    assert_close((single.x, single.trace), (reference.x, reference.trace), CLOSE)


GOING_ON = [(source, cut_at, "chunk") for source in SOURCES for cut_at in (1, 3, 7, 9)]


@pytest.mark.parametrize(
    ("source", "cut_at", "dispatch"), [*GOING_ON, ("generator", 7, "single"), ("loader", 7, "single")]
)
def test_a_run_goes_on_from_its_state(source, cut_at, dispatch):
    """In the middle of an epoch and at its end; a generator's batches that were read ahead are not lost."""
    problem, options = streamed(SOURCES[source]()), {"dispatch": dispatch}
    begun = tw.minimize(problem, start(), METHOD, stop=tw.Steps(cut_at), **options)
    ended = tw.minimize(problem, start(), METHOD, stop=tw.Steps(11), state=begun.state, chunk=2, **options)
    whole = tw.minimize(streamed(SOURCES[source]()), start(), METHOD, stop=tw.Steps(11), **options)
    assert_same(ended.x, whole.x)
    np.testing.assert_array_equal(ended.trace.value, whole.trace.value[cut_at:])
    assert (ended.steps, ended.epochs, ended.first_step) == (11, whole.epochs, cut_at)


@pytest.mark.parametrize("cut_at", sampled([2, 3, 8, 9], [3, 8]))
@pytest.mark.parametrize("source", ["list", "loader"])
def test_epochs_are_counted_on(source, cut_at):
    begun = tw.minimize(streamed(SOURCES[source]()), start(), METHOD, stop=tw.Steps(cut_at))
    options = {"stop": tw.Epochs(4), "validate_every": tw.Epochs(1)}
    problem = streamed(SOURCES[source](), validation=table(5))
    ended = tw.minimize(problem, start(), METHOD, state=begun.state, **options)
    assert (ended.steps, ended.epochs) == (12, 4.0)
    first = [] if cut_at % 3 else [cut_at]
    np.testing.assert_array_equal(ended.validation.step, first + [step for step in (3, 6, 9, 12) if step > cut_at])


def test_patience_goes_on_counting():
    problem = functools.partial(streamed, BATCHES, validation=table(5, seed=1))
    options = {"validate_every": 2}
    stop = tw.Patience(3) | tw.Steps(60)
    whole = tw.minimize(problem(), start(), tw.Adam(0.5), stop=stop, **options)
    assert isinstance(whole.rule, tw.Patience)
    for cut_at in (whole.steps - 4, whole.steps - 3, whole.steps - 2):
        begun = tw.minimize(problem(), start(), tw.Adam(0.5), stop=tw.Patience(3) | tw.Steps(cut_at), **options)
        ended = tw.minimize(problem(), start(), tw.Adam(0.5), stop=stop, state=begun.state, **options)
        assert (ended.status, ended.steps) == (whole.status, whole.steps)
        assert_same(ended.x, whole.x)


@pytest.mark.parametrize("count", [0.3, 1, 1.4, 2.5])
def test_fractions_of_an_epoch_need_its_length(count):
    for source in (BATCHES, NoLength(BATCHES)):
        problem = streamed(source, steps_per_epoch=3)
        result = tw.minimize(problem, start(), METHOD, stop=tw.Epochs(count), chunk=2)
        assert result.steps == -(-count * 3 // 1)
        assert result.epochs == pytest.approx(result.steps / 3)
    if count == 1:
        assert tw.minimize(streamed(NoLength(BATCHES)), start(), METHOD, stop=tw.Epochs(1)).steps == 3
    else:
        with compilations() as programs, pytest.raises(ValueError, match=r"Epochs.*steps_per_epoch=n"):
            tw.minimize(streamed(NoLength(BATCHES)), start(), METHOD, stop=tw.Epochs(count))
        assert programs == []


@pytest.mark.parametrize(
    ("source", "every", "due"),
    [
        ("list", None, [0, 3, 6, 7]),
        ("list", 2, [0, 2, 4, 6, 7]),
        ("list", tw.Epochs(0.5), [0, 2, 3, 5, 6, 7]),
        ("loader", tw.Epochs(2), [0, 6, 7]),
        ("generator", 5, [0, 5, 7]),
        ("generator", None, [0, 7]),
    ],
    ids=str,
)
def test_validations_are_due_at_multiples_of_their_period(source, every, due):
    problem = streamed(SOURCES[source](), validation=tw.Stream(BATCHES))
    result = tw.minimize(problem, start(), METHOD, stop=tw.Steps(7), validate_every=every)
    np.testing.assert_array_equal(result.validation.step, due)


def test_passes_may_have_different_lengths():
    def longer(epoch):
        return BATCHES[:1] * (epoch + 1)

    for chunk in (1, 2, None):
        problem = streamed(longer, validation=table(5))
        result = tw.minimize(problem, start(), METHOD, stop=tw.Epochs(4), chunk=chunk)
        assert (result.steps, result.epochs) == (1 + 2 + 3 + 4, 4.0)
        np.testing.assert_array_equal(result.validation.step, [0, 1, 3, 6, 10])


@pytest.mark.thorough
def test_every_shape_of_batch_is_one_program():
    def fresh(params, batch):
        return loss(params, batch)[0]

    def run(data=BATCHES, seed=0, rate=0.1, count=2, **options):
        problem = tw.Problem(fresh, tw.Stream(data))
        return tw.minimize(problem, start(), tw.Adam(rate), stop=tw.Epochs(count), seed=seed, **options)

    with compilations() as names:
        run()
    assert names == ["jit(flat)"] * 2, "batches of four, and the short one"
    with compilations() as names:
        run(seed=1, rate=0.2, count=5)
        run(data=cut(table(seed=3), 4), chunk=2)
    assert names == []
    with compilations() as names:
        run(data=BATCHES[:2])
    assert len(names) == 1, "stacks of two batches"


class Counting:
    """A generator that counts what was read from it."""

    def __init__(self, batch):
        self.batch, self.count = batch, 0

    def __iter__(self):
        return self

    def __next__(self):
        self.count += 1
        return self.batch


def test_after_a_lost_step_the_state_is_that_before_it():
    """Also of a generator, which gives the lost batch again, and those that were read after it."""

    def fragile(params, batch):
        value, aux = loss(params, batch)
        return value + jnp.where((jnp.max(batch[2]) == 7) & (params["w"][0] < 0.9), jnp.nan, 0.0), aux

    problem = tw.Problem(fragile, iter(BATCHES * 3), has_aux=True)
    fixed = {"w": np.ones(3), "b": np.zeros(())}
    result = tw.minimize(problem, start(), tw.SGD(0.1), stop=tw.Steps(9), chunk=3, on_failure="ignore")
    assert (result.status, result.steps) == (tw.Status.NONFINITE, 1)
    assert int(result.state.step) == 1
    rest = tw.minimize(problem, fixed, tw.SGD(0.0), stop=tw.Steps(6))
    assert seen(rest) == [[4, 5, 6, 7], [8, 9, 10], *IN_ORDER, [0, 1, 2, 3]]


def test_no_more_is_read_ahead_than_memory_bears():
    wide = (np.zeros((2, 200_000)), np.zeros(2))
    source = Counting(wide)
    problem = tw.Problem(lambda w, batch: jnp.mean((batch[0][:, :3] @ w - batch[1]) ** 2), source)
    tw.minimize(problem, np.zeros(3), METHOD, stop=tw.Steps(20), chunk=20)
    assert 20 <= source.count <= 20 + 2 * 2**23 // wide[0].nbytes


def test_a_loader_may_fill_the_same_arrays_again():
    def filling():
        buffer = [np.empty_like(part) for part in BATCHES[0]]
        while True:
            for batch in BATCHES[:2]:
                for into, part in zip(buffer, batch, strict=True):
                    into[...] = part
                yield tuple(buffer)

    result = tw.minimize(streamed(filling()), start(), METHOD, stop=tw.Steps(4))
    assert seen(result) == [IN_ORDER[0], IN_ORDER[1]] * 2


class Once:
    """Looks as if it could be read again."""

    def __init__(self):
        self.batches = iter(BATCHES)

    def __iter__(self):
        return self.batches


@pytest.mark.parametrize("make", [Once, lambda: iter(BATCHES)], ids=["second pass empty", "iterator"])
def test_a_stream_that_ends_too_early_is_no_success(make):
    with pytest.warns(tw.MinimizeWarning, match="no batch after step 3, and no stop rule had fired"):
        result = tw.minimize(streamed(make()), start(), METHOD, stop=tw.Steps(100))
    assert (result.status, result.ok, result.steps, result.rule) == (tw.Status.STOPPED, False, 3, None)
    assert "a loader" in result.advice[0]
    assert seen(result) == IN_ORDER, "the batch that was looked at first is not lost"


def test_an_iterator_is_used_up_by_a_run_without_end():
    calls = []
    callback = tw.Every(3, lambda event: calls.append(event.step))
    problem = streamed(iter(BATCHES * 2))
    result = tw.minimize(problem, start(), METHOD, stop=tw.Never(), callbacks=[callback])
    assert (result.ok, result.steps, calls) == (True, 6, [3, 6])
    for state in (None, result.state):
        with compilations() as programs, pytest.raises(ValueError, match=r"no batch after step .*read once"):
            tw.minimize(problem, start(), METHOD, stop=tw.Never(), state=state)
        assert programs == []


def spoil(batch, how):
    """The batch in a form that does not fit."""
    features, targets, numbers = batch
    forms = {
        "structure": [features, targets, numbers],
        "width": (features[:, :2], targets, numbers),
        "dtype": (features.astype(np.float16), targets, numbers),
        "longer": tuple(np.concatenate([part, part]) for part in batch),
        "ragged": (features, targets[:-1], numbers),
        "empty": tuple(part[:0] for part in batch),
        "objects": (features, targets.astype(object), numbers),
    }
    return forms[how]


SPOILED = {
    "structure": (ValueError, r"PyTreeDef.*first was"),
    "width": (ValueError, r"batch\[0\] has shape \(4, 2\) .* first had \(4, 3\)"),
    "dtype": (ValueError, r"batch\[0\] .*dtype float16.* float"),
    "longer": (ValueError, r"shape \(8, 3\).*only the leading axis may be shorter"),
    "ragged": (ValueError, "leaves of different lengths"),
    "empty": (ValueError, "is empty"),
    "objects": (TypeError, r"batch\[1\] .*dtype object: give arrays of numbers"),
    "failure": (OSError, "unplugged"),
}


@pytest.mark.parametrize("chunk", sampled([1, 2, None], [None]))
@pytest.mark.parametrize("how", SPOILED)
def test_a_bad_batch_ends_the_run_where_it_comes(how, chunk):
    """The fifth one; what was reached before is in the exception, however far was read ahead."""

    def source(epoch):
        for number, batch in enumerate(BATCHES):
            if (epoch, number) == (1, 1) and how == "failure":
                raise OSError("unplugged")
            yield spoil(batch, how) if (epoch, number) == (1, 1) else batch

    error, match = SPOILED[how]
    with pytest.raises(error, match=match) as caught:
        tw.minimize(streamed(source), start(), METHOD, stop=tw.Epochs(9), chunk=chunk)
    limited = tw.minimize(streamed(BATCHES), start(), METHOD, stop=tw.Steps(4))
    result = caught.value.result
    assert (result.status, result.steps) == (tw.Status.INTERRUPTED, 4)
    assert_same((result.x, result.trace.value), (limited.x, limited.trace.value))
    rest = tw.minimize(streamed(BATCHES), start(), METHOD, stop=tw.Steps(8), state=result.state)
    assert_same(rest.x, tw.minimize(streamed(BATCHES), start(), METHOD, stop=tw.Steps(8)).x)


@pytest.mark.parametrize(("declared", "reached"), [(2, 2), (5, 3)])
def test_a_pass_has_the_length_that_was_declared(declared, reached):
    with pytest.raises(ValueError, match=rf"A pass of Stream\(list\).*says {declared}") as caught:
        tw.minimize(streamed(BATCHES, declared), start(), METHOD, stop=tw.Epochs(3), chunk=1)
    assert caught.value.result.steps == reached


def test_batches_in_flight_are_not_lost_to_an_interruption():
    """The second Ctrl-C falls into a chunk; what was taken for it is there for the next run."""

    def generator():
        for number, batch in enumerate(BATCHES * 4):
            if number == 7:  # while the chunk before is computed
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
            yield batch

    problem = streamed(generator())
    with pytest.raises(KeyboardInterrupt) as caught:
        tw.minimize(problem, start(), METHOD, stop=tw.Steps(12), chunk=2)
    state = caught.value.result.state
    left = len(problem.stream.waiting)
    assert caught.value.result.steps + left == 7
    rest = tw.minimize(problem, start(), METHOD, stop=tw.Steps(caught.value.result.steps + left), state=state)
    assert seen(rest) == [IN_ORDER[step % 3] for step in range(caught.value.result.steps, 7)]
