"""The history on disk: its columns, that it is there while the run goes on, and what becomes of a file that exists."""

import csv
import json
import resource
import signal

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.run.test_driver import bowl, start
from thalweg.run.observe.history import write_history
from thalweg.run.observe.table import Table

METHOD = tw.SGD(0.05)


X = np.linspace(-1.0, 1.0, 12)
DATA = (X, 2.0 * X + 1.0)


def line(p, batch):
    """The mean squared error of a line."""
    return jnp.mean((p[0] * batch[0] + p[1] - batch[1]) ** 2)


def slope(p, batch):
    """A metric."""
    return {"slope": p[0]}


def fit_problem():
    """A line through 12 points, of which every second one is held out."""
    return tw.Problem(line, DATA, validation=tuple(a[::2] for a in DATA), metrics=slope)


def fit(callbacks=(), method=METHOD, **options):
    """Three epochs of three batches; of some steps, if told so."""
    options = {"batch_size": 4, "stop": tw.Epochs(3) | tw.Steps(options.pop("steps", 99))} | options
    return tw.minimize(fit_problem(), np.zeros(2), method, callbacks=callbacks, **options)


def rows(path):
    """The rows as a reader finds them; an empty cell is None."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        return [{name: float(cell) if cell else None for name, cell in row.items()} for row in csv.DictReader(file)]


def column(path, name):
    return [row.get(name) for row in rows(path)]


@pytest.fixture(params=["history.csv", "history.jsonl"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_a_row_a_step_with_the_numbers_of_the_trace(path):
    result = fit([tw.History(path)])
    assert column(path, "step") == list(range(10))
    np.testing.assert_allclose(column(path, "epoch"), np.arange(10) / 3, atol=1e-6)
    assert column(path, "value") == [*result.trace.value.tolist(), None], "the last point has a validation and no batch"
    assert column(path, "step_size") == [*result.trace.step_size.tolist(), None]
    assert "optimality" not in rows(path)[0], "on batches it is not measured"


def test_a_validation_stands_in_the_row_of_its_step(path):
    result = fit([tw.History(path)])
    measured = {row["step"]: row for row in rows(path) if row.get("validation_value") is not None}
    assert list(measured) == result.validation.step.tolist() == [0, 3, 6, 9]
    assert [row["validation_value"] for row in measured.values()] == result.validation.value.tolist()
    assert [row["validation_slope"] for row in measured.values()] == result.validation.metrics["slope"].tolist()


def test_the_point_that_converged_has_one_row_with_its_validation(path):
    result = fit([tw.History(path)], tw.LBFGS(), batch_size=None, stop=tw.GradNorm(1e-3), validate_every=100)
    assert result.status == tw.Status.CONVERGED
    last = rows(path)[-1]
    assert column(path, "step") == list(range(result.steps + 1))
    assert (last["step"], last["value"]) == (result.steps, result.value)
    assert last["validation_value"] == result.validation.value[-1]
    assert column(path, "optimality") == result.trace.optimality.tolist()


def test_numbers_are_as_short_as_their_dtype_tells_them_apart(tmp_path):
    path = tmp_path / "a.csv"
    x0 = np.asarray([3.0, -2.0], np.float32)
    tw.minimize(bowl, x0, tw.SGD(0.1), stop=tw.Steps(3), callbacks=[tw.History(path)])
    assert path.read_text().splitlines()[1].startswith("0,,24.5,0.1,20.0")


def bowl_and_sum(x):
    """With auxiliary output."""
    return bowl(x), {"sum": jnp.sum(x)}


def test_auxiliary_output_has_columns(path):
    result = tw.minimize(
        tw.Problem(bowl_and_sum, has_aux=True), start(), METHOD, stop=tw.Steps(5), callbacks=[tw.History(path)]
    )
    assert column(path, "aux_sum") == result.trace.aux["sum"].tolist()


def square(x):
    """Of one number."""
    return x**2


def test_what_a_method_adds_has_columns(path):
    cooling = tw.SimulatedAnnealing(tw.moves.GaussianMove(0.3), tw.schedules.Exponential(1.0, 0.1, None))
    result = tw.minimize(square, np.asarray(2.0), cooling, stop=tw.Steps(4), callbacks=[tw.History(path)])
    assert column(path, "extra_temperature") == pytest.approx(result.trace.extra["temperature"].tolist())


def cliff(x):
    """NaN in the middle."""
    return jnp.where(jnp.sum(x**2) < 4.0, jnp.nan, bowl(x))


def test_what_was_lost_is_an_empty_cell_or_null(path):
    result = tw.minimize(cliff, start(), METHOD, stop=tw.Steps(90), on_failure="ignore", callbacks=[tw.History(path)])
    assert not result.ok and len(rows(path)) > 1
    values = column(path, "value")
    assert values[-1] is None and None not in values[:-1]
    assert "nan" not in path.read_text().lower()


def test_an_infinity_is_no_json(path):
    table = Table(path, 0)
    table.add({"step": [0], "value": [float("inf")]})
    table.close()
    assert column(path, "value") == [None if path.suffix == ".jsonl" else float("inf")]


def test_the_rows_are_on_disk_while_the_run_goes_on(path):
    seen = []

    def look(event):
        seen.append((event.step, [row["step"] for row in rows(path)]))

    fit([tw.History(path), tw.Every(3, look)])
    assert seen == [(step, list(range(step))) for step in (3, 6, 9)], "all but the one that waits for its validation"


def test_a_continued_run_goes_on_in_its_file(path, tmp_path):
    whole = tmp_path / f"whole{path.suffix}"
    fit([tw.History(whole)])
    half = fit([tw.History(path)], steps=4)
    rest = fit([tw.History(path)], state=half.state)
    assert rest.first_step == 4
    assert path.read_bytes() == whole.read_bytes()


def test_a_run_that_begins_anew_writes_its_file_anew(path):
    history = tw.History(path)
    fit([history])
    before = path.read_bytes()
    fit([history], seed=1)
    assert path.read_bytes() != before
    fit([history])
    assert path.read_bytes() == before


def test_what_a_killed_run_left_half_written_is_cut_off(path):
    half = fit([tw.History(path)], steps=4)
    whole = path.read_text()
    path.write_text(whole[:-3])
    fit([tw.History(path)], state=half.state)
    assert column(path, "step") == list(range(10))


def test_a_column_that_comes_late_is_empty_above(tmp_path):
    path = tmp_path / "a.csv"
    half = fit(steps=4)
    result = fit([tw.History(path)], state=half.state)
    assert result.validation.step.tolist() == [6, 9]
    assert [row["validation_value"] is None for row in rows(path)] == [True, True, False, True, True, False]
    assert len({line.count(",") for line in path.read_text().splitlines()}) == 1


def scale_error(p, b):
    """The mean squared error of a number."""
    return jnp.mean((b[0][:, 0] * p - b[1]) ** 2)


def test_epochs_of_a_stream_that_does_not_say_how_long_one_is(path):
    batch, lengths = (np.ones((2, 1)), np.ones(2)), {0: 3, 1: 2, 2: 4}
    stream = tw.Stream(lambda epoch: [batch] * lengths.get(epoch, 1))
    tw.minimize(
        tw.Problem(scale_error, stream), np.asarray(0.0), METHOD, stop=tw.Epochs(3), callbacks=[tw.History(path)]
    )
    assert column(path, "epoch") == [0, 0, 0, 1, 1, 2, 2, 2, 2]


def test_an_exception_leaves_every_row(path):
    def broken(event):
        raise KeyError

    with pytest.raises(KeyError) as caught:
        fit([tw.History(path), tw.Every(4, broken)])
    assert column(path, "value") == caught.value.result.trace.value.tolist()


def test_a_finished_run_is_written_by_the_same_hand(path, tmp_path):
    live = tmp_path / f"live{path.suffix}"
    result = fit([tw.History(live)])
    write_history(result, path)
    assert path.read_bytes() == live.read_bytes()


def test_a_run_with_restarts_has_the_best_lanes_rows(path):
    result = tw.minimize(bowl, start(), METHOD, stop=tw.Steps(5), restarts=3)
    write_history(result, path)
    assert column(path, "value") == result.trace.value.tolist()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.txt", None, "must end in .csv or .jsonl"),
        ("missing/a.csv", None, "cannot be written: No such file or directory"),
        ("folder.csv", None, "cannot be written: Is a directory"),
        ("notes.csv", "name,age\nAda,36\n", "has no column 'step'"),
        ("notes.jsonl", '{"name": "Ada"}\n', "line 1: that is no row of a history"),
        ("rows.csv", "step,value\nAda,36\n", "line 2: that is no row of a history"),
        ("bytes.csv", b"\xff\xfe\x00", "is no text file"),
    ],
)
def test_a_file_that_cannot_be_a_history_is_refused_at_once(tmp_path, name, text, sentence):
    (tmp_path / "folder.csv").mkdir()
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=sentence):
        tw.History(path)
    assert sorted(tmp_path.rglob("*")) == before
    assert text is None or path.read_bytes() == (text if isinstance(text, bytes) else text.encode())


def test_nothing_is_left_of_a_history_that_no_run_used(path):
    tw.History(path)
    assert not path.exists()


def test_a_full_disk_ends_the_run_with_what_was_reached(path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    try:
        with pytest.raises(OSError, match=path.name) as caught:
            tw.minimize(bowl, start(), METHOD, stop=tw.Steps(500), callbacks=[tw.History(path)], chunk=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert 0 < caught.value.result.steps < 500
    assert len(rows(path) if path.suffix == ".csv" else path.read_text().splitlines()) >= 2
