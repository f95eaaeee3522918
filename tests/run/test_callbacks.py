"""Callbacks: when they are called, what they see, what they can do."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import compilations
from tests.run.test_driver import bowl, start


def test_a_function_is_called_after_every_step():
    seen = []
    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(5), callbacks=[lambda event: seen.append(event.step)])
    assert seen == [1, 2, 3, 4, 5]


def test_every_thins_the_calls_and_the_event_holds_the_rows_since():
    seen = []
    callback = tw.Every(4, lambda event: seen.append((event.step, len(event.trace.value))))
    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(10), callbacks=[callback])
    assert seen == [(4, 4), (8, 4)]


def test_the_event_holds_the_validations_since_with_their_steps():
    seen = []
    x = np.linspace(-1.0, 1.0, 12)
    problem = tw.Problem(lambda p, b: jnp.mean((p * b - b) ** 2), x, validation=x, metrics=lambda p, b: {"slope": p})
    watch = tw.Every(4, lambda event: seen.append((event.step, event.validations)))
    result = tw.minimize(
        problem, np.asarray(0.0), tw.SGD(0.1), batch_size=4, stop=tw.Steps(8), validate_every=2, callbacks=[watch]
    )
    assert [(step, table.step.tolist()) for step, table in seen] == [(4, [0, 2, 4]), (8, [6, 8])]
    metrics = [table.metrics["slope"] for _, table in seen]
    np.testing.assert_array_equal(np.concatenate(metrics), result.validation.metrics["slope"])


@pytest.mark.thorough
def test_an_event_knows_how_long_the_run_can_be_and_whether_its_data_change():
    seen = []
    problem = tw.Problem(lambda p, b: jnp.mean((p - b) ** 2), np.arange(9.0))
    for size, spread in ((None, 1.0), (2, 5.0)):
        tw.minimize(problem, np.asarray(0.0), tw.SGD(0.1), batch_size=size, stop=tw.Epochs(2), callbacks=[seen.append])
        assert (seen[-1].whole, seen[-1].steps_per_epoch, seen[-1].length) == (size is None, spread, 2 * spread)
    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.GradNorm(1.0), callbacks=[seen.append])
    assert (seen[-1].whole, seen[-1].steps_per_epoch, seen[-1].length) == (True, None, None)


def test_every_so_many_seconds_waits_for_a_chunk_and_is_called_at_the_end():
    seen = []
    watch = tw.Every(tw.Seconds(1e-9), lambda event: seen.append(event.step))
    rare = tw.Every(tw.Seconds(1e9), lambda event: seen.append(-event.step))
    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(25), callbacks=[watch, rare], chunk=10)
    assert seen == [10, -10, 20, 25, 25, -25], "the rare one is called after the first chunk and at the end"


def test_every_opens_and_closes_what_it_calls(tmp_path):
    path = tmp_path / "a.csv"
    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(6), callbacks=[tw.Every(3, tw.History(path))])
    assert len(path.read_text().splitlines()) == 1 + 6


def test_stop_ends_the_run_where_a_limited_run_ends():
    stopped = tw.minimize(
        bowl, start(), tw.Adam(0.1), stop=tw.Steps(50), callbacks=[lambda e: "stop" if e.step == 7 else None]
    )
    limited = tw.minimize(bowl, start(), tw.Adam(0.1), stop=tw.Steps(7))
    assert stopped.status == tw.Status.STOPPED and stopped.steps == 7
    np.testing.assert_array_equal(stopped.x, limited.x)
    np.testing.assert_array_equal(stopped.trace.value, limited.trace.value)


def test_a_returned_solver_changes_the_rate_without_compiling():
    def halve(event):
        return tw.change(event.solver, learning_rate=event.solver.rule.learning_rate / 2)

    tw.minimize(bowl, start(), tw.SGD(0.08), stop=tw.Steps(9))
    with compilations() as programs:
        result = tw.minimize(bowl, start(), tw.SGD(0.08), stop=tw.Steps(9), callbacks=[tw.Every(3, halve)])
    np.testing.assert_allclose(result.trace.step_size[:9], [0.08] * 3 + [0.04] * 3 + [0.02] * 3, rtol=1e-6)
    assert programs == []


@pytest.mark.parametrize("answer", [3, True, "halt"])
def test_other_answers_are_refused(answer):
    with pytest.raises(TypeError, match="A callback returned"):
        tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(3), callbacks=[lambda event: answer])


def test_another_method_is_refused():
    with pytest.raises(ValueError, match="differ from the method in numbers only"):
        tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(3), callbacks=[lambda event: tw.LBFGS()])


def test_an_exception_reaches_the_caller():
    def broken(event):
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(3), callbacks=[broken])


def test_progress_is_silent_without_a_terminal(capsys):
    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(3), callbacks=[tw.Progress(terminal=False)])
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == ""


def test_progress_shows_step_and_value(capsys):
    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(3), callbacks=[tw.Progress(terminal=True)])
    assert "step 3" in capsys.readouterr().err


def test_progress_does_not_cut_chunks():
    steps = []

    class Watch:
        """Called whenever the driver looks."""

        every = None

        def __call__(self, event):
            steps.append(event.step)

    tw.minimize(bowl, start(), tw.SGD(0.05), stop=tw.Steps(30), callbacks=[Watch()], chunk=30)
    assert steps == [30, 30], "one chunk, and once at the end"


def test_jnp_values_of_an_event_are_the_users_tree():
    kept = []
    x0 = {"w": start(), "n": 3}
    tw.minimize(
        lambda p: bowl(p["w"]), x0, tw.SGD(0.05), stop=tw.Steps(2), callbacks=[lambda event: kept.append(event.x)]
    )
    assert kept[0]["n"] == 3 and isinstance(kept[0]["w"], jnp.ndarray)
