"""Steps whose numbers are not finite: dropped without a trace in parameters and moments, or the end with a reason."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from tests.helpers import assert_close, assert_same, sampled
from tests.run.training import CLOSE, assert_same_run, cut, start, table

EXAMPLES, SIZE = 24, 2
VALUE, GRADIENT, INFINITE, POLE = 1.0, 2.0, 3.0, 4.0
"""What an example does to its batch: a value of NaN, a gradient of NaN or of infinity at a finite value, a pole."""
TROUBLES = {"value": VALUE, "gradient": GRADIENT, "infinite": INFINITE, "pole": POLE}
by_trouble = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
by_some_troubles = pytest.mark.parametrize("trouble", sampled(TROUBLES.values(), [GRADIENT]), ids=TROUBLES)
"""Where the others are the rest of a product."""


def loss(params, batch):
    """The mean squared error, and the trouble that the batch makes."""
    features, targets, numbers, trouble = batch
    worst, w = jnp.max(trouble), params["w"]
    kink = jnp.sqrt(jnp.where(worst == GRADIENT, 0.0 * w, 1.0))
    steep = jnp.sqrt(jnp.where(worst == INFINITE, w - jax.lax.stop_gradient(w), 1.0))
    value = jnp.mean((features @ w + params["b"] - targets) ** 2) + jnp.sum(kink - 1.0) + jnp.sum(steep - 1.0)
    value += len(w) * jnp.isin(worst, jnp.asarray([GRADIENT, INFINITE])).astype(w.dtype)
    value += jnp.where(worst == VALUE, jnp.nan, 0.0) + jnp.where(worst == POLE, jnp.inf, 0.0)
    return value, {"seen": jnp.sum(4.0**numbers)}


def data(bad, trouble=VALUE):
    """The table with a column of troubles."""
    return *table(EXAMPLES), np.where(np.isin(np.arange(EXAMPLES), list(bad)), trouble, 0.0)


def problem(bad, trouble=VALUE, streamed=False, **parts):
    """The problem in memory, or in batches of two in the order of the data."""
    examples = data(bad, trouble)
    return tw.Problem(loss, tw.Stream(cut(examples, SIZE)) if streamed else examples, has_aux=True, **parts)


def run(bad, trouble=VALUE, streamed=False, parts=(), **options):
    """Three epochs of batches of two, in the order of the data unless it is shuffled."""
    if not streamed:
        options = {"batch_size": SIZE, "shuffle": False, **options}
    options = {"stop": tw.Epochs(3), "on_failure": "ignore", **options}
    return tw.minimize(problem(bad, trouble, streamed, **dict(parts)), start(), tw.Adam(0.1), **options)


@functools.partial(jax.jit, static_argnums=3)
def adam(params, state, batch, rate=0.1):
    """One step of a hand-written loop."""
    grad = jax.grad(lambda p: loss(p, batch)[0])(params)
    with jax.numpy_dtype_promotion("standard"):
        update, state = optax.adam(rate).update(grad, state)
    return optax.apply_updates(params, update), state


def by_hand(batches, dropped=()):
    """Where a loop ends that leaves out some batches."""
    params = jax.tree.map(jnp.asarray, start())
    state = optax.adam(0.1).init(params)
    for step, batch in enumerate(batches):
        if step not in dropped:
            params, state = adam(params, state, batch)
    return params


def test_the_troubles_are_what_they_are_called():
    differentiate = jax.jit(jax.value_and_grad(loss, has_aux=True))
    for trouble, value, gradient in ((VALUE, np.isnan, None), (GRADIENT, None, np.isnan), (INFINITE, None, np.isinf)):
        (found, _), grad = differentiate(start(), jax.tree.map(lambda a: a[:2], data({1}, trouble)))
        (clean, _), _ = differentiate(start(), jax.tree.map(lambda a: a[:2], data({})))
        assert value(found) if value else float(found) == pytest.approx(float(clean))
        assert gradient is None or gradient(grad["w"]).all()


@functools.cache
def shuffled_order():
    """The examples of every step of three epochs."""
    take = jax.vmap(lambda step: tw.Batches(SIZE).take(jnp.arange(EXAMPLES), jax.random.key(2), step))
    return np.asarray(jax.jit(take)(np.arange(36, dtype=np.int32)))


@by_trouble
@pytest.mark.parametrize("kind", sampled(["memory", "shuffled", "streamed", "single"], ["memory", "streamed"]))
def test_a_skipped_step_leaves_no_mark(kind, trouble):
    """Neither on the parameters nor on the moments: the loop goes on as if the batch had not come."""
    options = {"streamed": kind == "streamed"} | ({"shuffle": True, "seed": 2} if kind == "shuffled" else {})
    options |= {"dispatch": "single" if kind == "single" else "chunk"}
    result = run({5, 14}, trouble, on_nonfinite="skip", **options)
    if kind == "shuffled":
        batches = [jax.tree.map(lambda a, rows=rows: a[rows], data({5, 14})) for rows in shuffled_order()]
    else:
        batches = cut(data({5, 14}), SIZE) * 3
    bad = [step for step, batch in enumerate(batches) if max(batch[3])]
    assert len(bad) >= 5
    assert result.skipped == tuple(bad)
    assert (result.ok, result.status, result.steps, result.epochs) == (True, tw.Status.STEP_LIMIT, 36, 3.0)
    assert len(result.trace.value) == 36
    assert_close(result.x, by_hand(batches, bad), CLOSE)
    assert "skipped" in repr(result)


@by_some_troubles
@pytest.mark.parametrize("streamed", [False, True])
def test_the_chunk_size_never_shows(streamed, trouble):
    """Wherever the chunks are cut, the same steps are dropped, the last one of the run among them."""
    for policy in ("skip", "rollback", "stop"):
        options = {"on_nonfinite": policy, "streamed": streamed, "stop": tw.Epochs(2)}
        reference = run({5, 14, 23}, trouble, **options)
        for chunk in (1, 2, 5, 9):
            assert_same_run(run({5, 14, 23}, trouble, chunk=chunk, **options), reference)
        assert np.all(np.isfinite(reference.x["w"]))
        assert reference.skipped == (() if policy == "stop" else (2, 7, 11, 14, 19, 23))


@by_trouble
def test_a_run_that_stops_returns_the_point_before_and_says_why(trouble):
    result = run({5}, trouble, on_nonfinite="stop")
    assert (result.status, result.ok, result.steps, result.skipped) == (tw.Status.NONFINITE, False, 2, ())
    assert_same(result.x, run({}, stop=tw.Steps(2)).x)
    assert "at step 2" in result.message
    assert "the point before" in result.message
    if trouble in (GRADIENT, INFINITE):
        assert "gradient" in result.message
        assert "in w" in result.message, "the first variable that is not finite"
        assert len(result.trace.value) == 3
        assert np.isfinite(result.trace.value).all()
    else:
        assert f"objective is {'nan' if trouble == VALUE else 'inf'} on its batch" in result.message
    assert "kink" not in result.advice[0]
    assert "on_nonfinite" in result.advice[0]


@by_trouble
@pytest.mark.parametrize("chunk", [1, None])
def test_a_gradient_lost_at_the_last_step_is_no_result(trouble, chunk):
    """The value of the last step is finite, and no step comes after it that could tell."""
    options = {"stop": tw.Steps(3), "chunk": chunk}
    stopped = run({5}, trouble, **options)
    assert (stopped.status, stopped.ok, stopped.steps) == (tw.Status.NONFINITE, False, 2)
    skipped = run({5}, trouble, on_nonfinite="skip", **options)
    assert (skipped.status, skipped.steps, skipped.skipped) == (tw.Status.STEP_LIMIT, 3, (2,))
    assert isinstance(skipped.rule, tw.Steps)
    for result in (stopped, skipped):
        assert_same(result.x, run({}, stop=tw.Steps(2)).x)


STOPS = [tw.Never() | tw.Steps(12), tw.Evaluations(12), tw.Steps(12) & tw.Epochs(1)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("stop", [tw.Epochs(1), *(pytest.param(stop, marks=pytest.mark.thorough) for stop in STOPS)])
def test_a_dropped_step_counts_for_the_stop_rule(stop, streamed):
    """Also the last one: a run never gets longer by what it drops."""
    for bad in ({5}, {23}, {21, 22}):
        result = run(bad, on_nonfinite="skip", streamed=streamed, stop=stop)
        assert (result.status, result.steps) == (tw.Status.STEP_LIMIT, 12)


@by_some_troubles
@pytest.mark.parametrize("chunk", [3, None])
def test_ten_lost_steps_in_a_row_are_dropped_and_the_eleventh_ends_the_run(trouble, chunk):
    options = {"batch_size": 1, "on_nonfinite": "skip", "chunk": chunk, "stop": tw.Steps(20)}
    result = run(range(5, 15), trouble, **options)
    assert (result.ok, result.skipped) == (True, tuple(range(5, 15)))
    assert_close(result.x, by_hand(cut(data({}), 1)[:20], range(5, 15)), CLOSE)

    result = run(range(5, 16), trouble, **options)
    assert (result.status, result.steps, result.skipped) == (tw.Status.NONFINITE, 15, tuple(range(5, 15)))
    assert_same(result.x, run({}, batch_size=1, stop=tw.Steps(5)).x)
    assert "at step 15" in result.message
    assert "on_nonfinite" not in result.advice[0], "that is what was tried"


def test_nan_everywhere_ends_at_the_start():
    for policy, dropped in (("skip", 10), ("rollback", 3)):
        result = run(range(EXAMPLES), GRADIENT, on_nonfinite=policy)
        assert (result.status, result.skipped) == (tw.Status.NONFINITE, tuple(range(dropped)))
        assert_same(result.x, jax.tree.map(jnp.asarray, start()))


def counting(params, count, batch):
    """The state counts the steps."""
    return loss(params, batch)[0], count + 1.0


@pytest.mark.parametrize("policy", ["skip", "rollback"])
def test_running_statistics_are_dropped_too(policy):
    problem = tw.Problem(counting, data({5, 14}, GRADIENT), stateful=True)
    options = {"batch_size": SIZE, "shuffle": False, "stop": tw.Epochs(1), "on_nonfinite": policy}
    result = tw.minimize(problem, start(), tw.Adam(0.1), model_state=np.asarray(0.0), **options)
    assert result.skipped == (2, 7)
    assert float(result.model_state) == {"skip": 10.0, "rollback": 4.0}[policy]


def test_nan_in_the_data_is_a_lost_step():
    features, targets, numbers, trouble = data({})
    features[5, 1] = np.nan
    with pytest.raises(ValueError, match=r"data\[0\]\[5\]\[1\] is nan.*allow_nan=True"):
        tw.Problem(loss, (features, targets, numbers, trouble), has_aux=True)
    damaged = tw.Problem(loss, (features, targets, numbers, trouble), has_aux=True, allow_nan=True)
    options = {"batch_size": SIZE, "shuffle": False, "stop": tw.Epochs(2), "on_nonfinite": "skip"}
    result = tw.minimize(damaged, start(), tw.Adam(0.1), **options)
    assert result.skipped == (2, 14)
    assert_close(result.x, by_hand(cut(data({}), SIZE) * 2, (2, 14)), CLOSE)


HELD_OUT = {"validation": table(5, seed=1), "validation_loss": lambda p, batch: (p["w"][1] + 0.3) ** 2}


@functools.cache
def path(steps):
    """Parameters and state after every step of a run without troubles, and its validation values."""
    clean = run({}, stop=tw.Steps(steps), parts=HELD_OUT.items(), validate_every=1)
    return clean.validation.value


@pytest.mark.parametrize("streamed", [False, True])
@by_some_troubles
def test_a_rollback_goes_on_from_the_best_validated_point(trouble, streamed):
    """With the moments of that point, and the batches that follow the lost one."""
    values = path(9)
    best = int(np.argmin(values[[0, 3, 6]])) * 3
    assert best == 3, "the validation value must rise again for this test to mean anything"
    options = {"parts": HELD_OUT.items(), "validate_every": 3, "streamed": streamed, "on_nonfinite": "rollback"}
    result = run({14}, trouble, stop=tw.Steps(11), **options)
    batches = cut(data({14}), SIZE)
    assert result.skipped == (7,)
    assert_close(result.x, by_hand(batches[:3] + batches[8:11]), CLOSE)
    for chunk in (1, 2, None):
        assert_same_run(run({14}, trouble, stop=tw.Steps(11), chunk=chunk, **options), result)


@pytest.mark.parametrize("streamed", [False, True])
def test_without_validation_a_rollback_goes_to_the_start_of_the_epoch(streamed):
    batches = cut(data({5}), SIZE)
    result = run({5}, GRADIENT, streamed=streamed, on_nonfinite="rollback", stop=tw.Epochs(2))
    assert result.skipped == (2, 14)
    assert_close(result.x, by_hand(batches[3:] + batches[3:]), CLOSE)


def test_a_run_that_was_continued_never_rolls_back_beyond_its_beginning():
    batches = cut(data({9}), SIZE)
    half = run({}, stop=tw.Steps(3))
    result = run({9}, GRADIENT, on_nonfinite="rollback", stop=tw.Steps(7), state=half.state)
    assert result.skipped == (4,)
    assert_close(result.x, by_hand(batches[:3] + batches[5:7]), CLOSE)


def test_the_fourth_rollback_to_a_point_ends_the_run():
    for bad, status in (({3, 7, 11}, tw.Status.STEP_LIMIT), ({3, 7, 11, 15}, tw.Status.NONFINITE)):
        result = run(bad, on_nonfinite="rollback", stop=tw.Epochs(1))
        assert result.status == status
        assert result.skipped == (1, 3, 5)
    assert_close(result.x, by_hand(cut(data(bad), SIZE)[6:7]), CLOSE)


def test_the_best_validated_point_survives_the_end():
    result = run({14}, GRADIENT, parts=HELD_OUT.items(), validate_every=3, keep="best")
    assert (result.status, result.kept) == (tw.Status.NONFINITE, 3)
    assert "the best validated point" in result.message
    assert_close(result.x, by_hand(cut(data({}), SIZE)[:3]), CLOSE)
    np.testing.assert_array_equal(result.validation.step, [0, 3, 6])


def test_a_continued_run_names_its_step():
    half = run({}, stop=tw.Steps(3))
    result = run({9}, VALUE, state=half.state)
    assert result.steps == 4
    assert "at step 4" in result.message


def test_a_random_loss_on_whole_data_can_drop_steps_too():
    """Also where the look at the last point meets NaN."""

    def fragile(x, key):
        return jnp.sum(x**2) + jnp.where(jax.random.uniform(key) < 0.3, jnp.nan, 0.0)

    lost = {}
    for steps in range(8, 20):
        result = tw.minimize(fragile, np.ones(2), tw.SGD(0.1), stop=tw.Steps(steps), on_nonfinite="skip")
        assert (result.status, result.steps) == (tw.Status.STEP_LIMIT, steps)
        np.testing.assert_allclose(result.x, 0.8 ** (steps - len(result.skipped)), rtol=CLOSE)
        lost[steps] = len(result.skipped)
    assert lost[19] > lost[8] > 0


def test_on_whole_data_the_same_step_would_fail_again():
    with pytest.raises(ValueError, match=r"on_nonfinite='skip'.*batch_size="):
        tw.minimize(lambda x: jnp.sum(x**2), jnp.ones(2), on_nonfinite="skip")
