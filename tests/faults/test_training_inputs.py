"""Rows 13, 15 and 22: data, batches and options that cannot be trained on, and unusual ones that can."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.faults.test_inputs import refuse
from tests.helpers import assert_close, sampled
from thalweg.losses import cross_entropy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 3))
Y = X @ [1.0, -2.0, 0.5]
W = np.zeros(3)
DATA = (X, Y)
BATCHES = [(X[:5], Y[:5]), (X[5:], Y[5:])]


def loss(w, batch):
    """The mean squared error."""
    features, targets = batch
    return jnp.mean((features @ w - targets) ** 2)


def train(data=DATA, method=tw.Adam(0.1), x0=W, parts=(), fun=loss, **options):
    """A short run on batches of 4, unless the options say otherwise."""
    options = {"batch_size": 4, "stop": tw.Steps(6), **options}
    return tw.minimize(tw.Problem(fun, data, **dict(parts)), x0, method, **options)


def stream(data=BATCHES, **options):
    """A short run on a stream."""
    return train(tw.Stream(data), batch_size=None, **options)


HELD_OUT = (("validation", DATA),)


def with_metrics(result):
    """Validation data, and metrics that return this."""
    return (*HELD_OUT, ("metrics", lambda w, batch: result))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: train(batch_size=0), "batch_size=0: give a whole number >= 1"),
        (lambda: train(batch_size=-4), "batch_size=-4: give a whole number"),
        (lambda: train(batch_size=4.0), "batch_size=4.0: give a whole number"),
        (lambda: train(batch_size=True), "batch_size=True: give a whole number"),
        (lambda: train(batch_size="4"), "batch_size='4': give a whole number"),
        (lambda: train(batch_size=11), "batch_size=11 is more than the 10 examples.*batch_size=None"),
        (lambda: train(None, fun=lambda w: jnp.sum(w**2)), r"batch_size=4 needs data: tw.Problem\(loss, data="),
        (lambda: train(last="skip"), "last='skip'.*'keep' or 'drop'"),
        (lambda: train(shuffle=1), "shuffle=1.*True or False"),
        (lambda: train(stop=None), r"stop=None.*tw.Epochs\(10\)"),
        (lambda: stream(stop=None), r"stop=None.*tw.Epochs\(10\)"),
        (lambda: train(tw.Stream(BATCHES)), r"batch_size=4: Stream\(list\) brings its own batches"),
        (lambda: train(method=tw.LBFGS()), "LBFGS needs the same function.*batch_size=4 changes.*fit: Adam, AdamW"),
        (lambda: stream(method=tw.LBFGS()), "LBFGS needs the same function.*a stream of batches.*fit: Adam, AdamW"),
        (lambda: train(method=tw.SteepestDescent()), "SteepestDescent needs the same.*fit: Adam, AdamW"),
        (lambda: train(keep="best"), r"keep='best' on batches.*validation=\(X, y\)"),
        (lambda: stream(keep="best"), r"keep='best' on batches.*validation=\(X, y\)"),
        (lambda: train(restarts=3), "restarts=3.*batch_size goes with restarts=1"),
        (lambda: stream(restarts=3), "restarts=3.*a stream goes with restarts=1"),
        (lambda: train(fun=tw.LeastSquares(lambda w, b: b[0] @ w - b[1])), "batch_size=4.*LeastSquares is not a mean"),
        (lambda: train(stop=tw.GradNorm(1e-3)), r"GradNorm.*same function at every step; use tw.Steps\(n\)"),
        (lambda: train(stop=tw.Steps(3) | tw.Patience(2)), r"Patience.*validation=\(X, y\)"),
        (lambda: stream(iter(BATCHES), stop=tw.Epochs(2)), r"Epochs.*read once.*use tw.Steps\(n\)"),
        (
            lambda: stream(iter(BATCHES), method=tw.SGD(tw.schedules.WarmupCosine(0.1, warmup=tw.Epochs(1)))),
            "steps_per_epoch=n",
        ),
        (lambda: train(on_nonfinite="ignore"), "on_nonfinite='ignore'.*'skip'"),
        (lambda: train(batch_size=None, on_nonfinite="skip"), "on_nonfinite='skip'.*use it with batch_size="),
        (lambda: train(validate_every=tw.Epochs(1), parts=HELD_OUT, batch_size=11), "more than the 10 examples"),
        (lambda: train(validate_every=1.5, parts=HELD_OUT), "validate_every=1.5: give whole steps"),
        (lambda: stream(iter(BATCHES), validate_every=tw.Epochs(1), parts=HELD_OUT), "validate_every=Epochs.*steps"),
        (lambda: tw.Stream(3), r"Stream\(3\): give something to iterate over"),
        (lambda: tw.Stream(lambda: iter(BATCHES)), "called with the number of the epoch"),
        (lambda: tw.Stream(BATCHES, steps_per_epoch=0), "steps_per_epoch=0"),
        (lambda: tw.Stream(BATCHES, steps_per_epoch=2.0), "steps_per_epoch=2.0"),
        (lambda: stream([]), r"Stream\(list\) is empty"),
        (lambda: stream(iter(())), r"is empty"),
        (lambda: train((X[:0], Y[:0])), "data is empty"),
        (lambda: train((X, Y[:9])), r"different lengths \(data\[0\] has 10, data\[1\] has 9\)"),
        (lambda: stream([(X, Y[:9])]), "leaves of different lengths"),
        (lambda: stream([(X[:0], Y[:0])]), "empty"),
        (lambda: stream([(1.0, 2.0)]), "no axis of examples"),
        (lambda: stream([(X, Y.astype(str))]), r"batch\[1\] of the stream has dtype <U.*arrays of numbers"),
        (lambda: train((np.where(X > 2, np.nan, X * np.inf), Y)), r"data\[0\]\[0\]\[0\] is .*allow_nan=True"),
        (lambda: train(BATCHES), r"data is a list of 2 trees alike.*data=tw.Stream\(batches\)"),
        (lambda: train([(X, Y)]), r"data is a list of 1 trees alike"),
        (lambda: train((X, Y.astype(object))), r"data\[1\] has dtype object"),
        (lambda: train((X, Y.astype(str))), r"data\[1\] has dtype <U"),
        (lambda: train(object()), "data has dtype object"),
        (lambda: train((X, 3.0)), r"data\[1\] is a single number"),
        (lambda: train(parts=[("validation", (X, Y[:9]))]), "validation has leaves of different lengths"),
        (lambda: train(parts=[("validation", tw.Stream([]))]), r"Stream\(list\) is empty"),
        (lambda: train(parts=[("validation", iter([DATA]))]), "validation=.*read once; give a list"),
        (lambda: train(parts=[("validation", [DATA, DATA])]), r"validation=tw.Stream\(batches\)"),
        (lambda: train(parts=with_metrics({"all": jnp.ones(2)})), r"metric 'all' has shape \(2,\).*its mean"),
        (lambda: train(parts=with_metrics({"text": "good"})), "metric 'text' is a str: return one real number"),
        (lambda: train(parts=with_metrics(1.0)), "metrics returned a float: return a dict"),
        (lambda: train(parts=with_metrics({"value": 1.0})), "metric 'value' has the name of the validation loss"),
        (lambda: train(parts=[*HELD_OUT, ("validation_loss", lambda w, b: w)]), r"validation loss has shape \(3,\)"),
        (lambda: train(parts=[("metrics", lambda w, b: {})]), r"metrics.*validation=\(X, y\)"),
    ],
)
def test_one_sentence_before_anything_is_compiled(call, match):
    refuse((ValueError, TypeError), match, call)


def expected(steps=6, **options):
    """What the same run on plain arrays gives."""
    return train(stop=tw.Steps(steps), **options).x


class Lent:
    """Like a tensor of another library: no NumPy array, with a dtype of its own."""

    dtype = "lent.float64"

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)

    def __len__(self):
        return len(self.array)

    def __iter__(self):
        return iter(self.array)


class Frame(Lent):
    """Like a table: iterating over it gives the names of its columns."""

    def __iter__(self):
        return iter("abc")


def readonly(array):
    """A copy that cannot be written to."""
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.thorough
@pytest.mark.parametrize("wrap", [np.asfortranarray, readonly, jnp.asarray, Lent, Frame, lambda a: a[::-1][::-1]])
def test_arrays_of_other_kinds_are_the_same_numbers(wrap):
    data = (wrap(X), wrap(Y))
    assert_close(train(data).x, expected(), 1e-12)
    streamed = stream([(wrap(X[:5]), wrap(Y[:5])), (wrap(X[5:]), wrap(Y[5:]))])
    assert_close(streamed.x, stream().x, 1e-12)


def test_a_frame_of_numbers_is_checked_like_an_array():
    refuse(ValueError, r"data\[0\]\[0\]\[0\] is nan", lambda: train((Frame(X * np.nan), Y)))
    refuse(TypeError, r"data\[0\] has dtype object", lambda: train((Frame(X.astype(object)), Y)))
    alone = tw.minimize(tw.Problem(lambda w, b: jnp.mean((b @ w - 1.0) ** 2), Frame(X)), W, stop=tw.Steps(2))
    assert alone.steps == 2


@pytest.mark.parametrize(
    ("dtype", "streamed"),
    [
        (np.bool_, False),
        (np.uint8, True),
        pytest.param(np.float16, False, marks=pytest.mark.thorough),
        pytest.param(jnp.bfloat16, True, marks=pytest.mark.thorough),
    ],
)
def test_features_of_other_dtypes_reach_the_loss_as_they_are(dtype, streamed):
    features = (RNG.integers(0, 2, size=X.shape)).astype(dtype)

    def casting(w, batch):
        assert batch[0].dtype == dtype
        return loss(w, (batch[0].astype(w.dtype), batch[1]))

    call = stream if streamed else train
    plain, cast = ((f[:5], Y[:5]) if streamed else (f, Y) for f in (features.astype(float), features))
    assert_close(call([cast] if streamed else cast, fun=casting).x, call([plain] if streamed else plain).x, 1e-12)


def classify(params, batch):
    """A linear classifier of four classes."""
    return cross_entropy(batch[0] @ params["w"] + params["b"], batch[1])


CLASSES = {"w": np.zeros((3, 4)), "b": np.zeros(4)}
LABELS = RNG.integers(0, 4, size=10)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", sampled(["uint8", "int16"], ["uint8"]))
def test_labels_may_be_any_integers(dtype):
    x = train((X, LABELS.astype(dtype)), fun=classify, x0=CLASSES).x
    assert_close(x, train((X, LABELS), fun=classify, x0=CLASSES).x, 1e-12)


@pytest.mark.parametrize("kind", sampled(["batches", "streamed", "whole"], ["batches", "streamed"]))
@pytest.mark.parametrize("bad", sampled([4, -1], [4]))
def test_a_label_out_of_range_ends_the_run_and_is_suspected(kind, bad):
    labels = np.where(np.arange(10) == 7, bad, LABELS).astype(int if bad < 0 else np.uint8)
    options = {"x0": CLASSES, "fun": classify, "on_failure": "ignore"}
    if kind == "streamed":
        result = stream([(X[:5], labels[:5]), (X[5:], labels[5:])], **options)
    elif kind == "whole":
        result = train((X, labels), batch_size=None, method=None, stop=None, **options)
    else:
        result = train((X, labels), shuffle=False, **options)
    assert (result.status, result.ok) == (tw.Status.NONFINITE, False)
    assert result.steps == {"streamed": 1, "whole": 0, "batches": 1}[kind]
    assert "objective is nan" in result.message
    here = labels[5:] if kind == "streamed" else labels
    assert f"data[1] holds integers from {here.min()} to {here.max()}" in result.advice[0]
    assert "[0, classes)" in result.advice[0]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result.x))


def test_other_causes_are_not_blamed_on_labels():
    def overflowing(params, batch):
        return classify(params, batch) + jnp.exp(1e3 + 0.0 * params["b"][0])

    result = train((X, LABELS), fun=overflowing, x0=CLASSES, on_failure="ignore")
    assert "objective is inf" in result.message
    assert "label" not in result.advice[0]


def test_one_class_and_a_constant_column_are_trained_on():
    constant = np.concatenate([X, np.ones((10, 1))], axis=1)
    result = train((constant, Y), x0=np.zeros(4))
    assert result.ok
    assert np.isfinite(train((X, LABELS * 0), fun=classify, x0=CLASSES).trace.value).all()


def test_the_first_variable_that_is_lost_is_named():
    def kinked(params, batch):
        fits = jnp.mean((batch[0] @ params["layer"]["w"] - batch[1]) ** 2)
        return fits + jnp.sqrt(jnp.sum(params["layer"]["z"] ** 2)) + jnp.sum(params["a"] ** 2)

    x0 = {"a": np.ones(2), "layer": {"w": W, "z": np.zeros(2)}}
    for options in ({}, {"batch_size": None, "method": tw.SGD(0.1)}):
        result = train(fun=kinked, x0=x0, on_failure="ignore", **options)
        assert (result.status, result.steps) == (tw.Status.NONFINITE, 0)
        assert "at step 0, in layer/z, where the objective is" in result.message


def test_steps_that_are_too_long_are_what_is_blamed():
    result = train(method=tw.SGD(1e6), stop=tw.Steps(500), on_failure="ignore")
    assert result.status == tw.Status.NONFINITE
    assert "lower the learning rate" in result.advice[0]


def test_the_data_are_never_changed_nor_kept_by_reference():
    features, targets = X.copy(), Y.copy()
    problem = tw.Problem(loss, (features, targets))
    features[...], targets[...] = np.nan, np.nan
    result = tw.minimize(problem, W, tw.Adam(0.1), batch_size=4, stop=tw.Steps(6))
    assert_close(result.x, expected(), 1e-12)


def test_a_run_does_not_disturb_the_generators_of_the_user():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    train()
    np.testing.assert_array_equal(np.random.get_state()[1], before)
