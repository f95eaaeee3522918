"""Stop rules: what each one looks at, its status, and how they combine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import at_once, half_square, quartic
from thalweg.core.duration import length
from thalweg.core.stop import AllOf, AnyOf, View, fired, make_host, rules_of
from thalweg.core.types import make_info

RUNNING, CONVERGED, STOPPED = tw.Status.RUNNING, tw.Status.CONVERGED, tw.Status.STOPPED
STEP_LIMIT, TIME_LIMIT = tw.Status.STEP_LIMIT, tw.Status.TIME_LIMIT
ALWAYS, NEVER = tw.Target(np.inf), tw.Target(-np.inf)
"""Rules that fire at every step and at none (the values below are finite)."""


def view(step=1, value=1.0, optimality=1.0, *, moved=1.0, evals=1, seconds=0.0, validation=(np.inf, -1), per_epoch=1.0):
    """What a rule sees."""
    info = make_info(value, optimality, evals=tw.Evals(value=evals))
    host = make_host(seconds, *validation, steps_per_epoch=per_epoch)
    real = jnp.result_type(float)
    x = {"a": np.zeros(2, real), "b": np.zeros((), real)}
    moves = {"a": np.asarray([0.0, moved], real), "b": np.asarray(moved / 2, real)}
    return View(jnp.asarray(step), info, x, moves, host)


def verdicts(rule: tw.Stop, *views: View) -> list[tw.Status]:
    """The verdict at each view."""
    state, out = rule.init(), []
    for seen in views:
        state, status = rule(state, seen)
        assert status.dtype == jnp.int32
        out.append(tw.Status(int(status)))
    return out


FIRING = {
    "GradNorm": (tw.GradNorm(0.1), {"optimality": 0.1001}, {"optimality": 0.1}, CONVERGED),
    "StepNorm": (tw.StepNorm(0.1), {"moved": -0.11}, {"moved": -0.1}, STOPPED),
    "Target": (tw.Target(2.0), {"value": 2.001}, {"value": 2.0}, STOPPED),
    "Steps": (tw.Steps(4), {"step": 3}, {"step": 4}, STEP_LIMIT),
    "Epochs": (tw.Epochs(0.5), {"step": 4, "per_epoch": 10.0}, {"step": 5, "per_epoch": 10.0}, STEP_LIMIT),
    "Seconds": (tw.Seconds(2.0), {"seconds": 1.9}, {"seconds": 2.0}, TIME_LIMIT),
}


@pytest.mark.parametrize(("rule", "before", "after", "status"), FIRING.values(), ids=FIRING)
def test_each_rule_fires_at_its_limit(rule, before, after, status):
    assert verdicts(rule, view(**before), view(**after)) == [RUNNING, status]


@pytest.mark.parametrize("rule", [tw.GradNorm(0.1), tw.StepNorm(0.1), tw.Target(2.0), tw.ValueChange(0.1)], ids=repr)
def test_nan_never_fires(rule):
    lost = view(value=np.nan, optimality=np.nan, moved=np.nan)
    assert verdicts(rule, lost, lost) == [RUNNING, RUNNING]


def test_never():
    assert verdicts(tw.Never(), view(10**6, 0.0, 0.0, moved=0.0)) == [RUNNING]


def test_value_change_compares_two_steps():
    seen = [view(value=v) for v in (5.0, 4.0, 4.05, 3.0)]
    assert verdicts(tw.ValueChange(0.1), *seen) == [RUNNING, RUNNING, STOPPED, RUNNING]


def test_evaluations_add_up():
    seen = [view(evals=n) for n in (3, 3, 3)]
    assert verdicts(tw.Evaluations(7), *seen) == [RUNNING, RUNNING, STEP_LIMIT]


def test_patience_counts_validations_without_a_new_lowest():
    values = [(5.0, 1), (5.0, 1), (4.0, 2), (4.5, 3), (4.5, 3), (4.0, 4), (9.0, 5)]
    seen = [view(validation=v) for v in values]
    assert verdicts(tw.Patience(2), *seen) == [RUNNING] * 5 + [STOPPED] * 2
    assert verdicts(tw.Patience(1), *seen)[:4] == [RUNNING] * 3 + [STOPPED]


def test_patience_before_the_first_validation():
    assert verdicts(tw.Patience(1), view(), view()) == [RUNNING, RUNNING]


def test_or_is_the_first_that_fires():
    rule = tw.Steps(5) | tw.Target(2.0) | tw.GradNorm(0.1)
    assert verdicts(rule, view(1), view(2, 1.0)) == [STOPPED, STOPPED]
    assert verdicts(rule, view(1, 9.0), view(5, 9.0)) == [RUNNING, STEP_LIMIT]
    assert verdicts(rule, view(1, 9.0, 0.0)) == [CONVERGED]


@pytest.mark.parametrize("left", [True, False])
def test_of_two_at_once_the_leftmost_wins(left):
    a, b = (ALWAYS, tw.Steps(1)) if left else (tw.Steps(1), ALWAYS)
    rule = NEVER | a | b
    state, status = rule(rule.init(), view())
    assert int(status) == (STOPPED if left else STEP_LIMIT)
    assert fired(rule, state, tw.Status.STEP_LIMIT) is a


def test_the_rule_that_fired_is_found_in_any_nesting():
    inner = NEVER | (NEVER | (tw.Steps(3) | NEVER))
    state, _ = inner(inner.init(), view(3))
    assert fired(inner, state, tw.Status.STEP_LIMIT) == tw.Steps(3)


def test_and_waits_for_all_at_the_same_step():
    rule = tw.Target(2.0) & tw.Steps(3)
    seen = [view(1, 1.0), view(3, 9.0), view(4, 1.0)]
    assert verdicts(rule, *seen) == [RUNNING, RUNNING, STOPPED]
    assert verdicts(tw.Steps(3) & tw.Target(2.0), *seen)[-1] is STEP_LIMIT, "the leftmost gives the status"


def test_and_keeps_the_memory_of_every_rule():
    """A rule inside `&` sees every step, also those at which its neighbor does not fire."""
    rule = tw.Evaluations(4) & tw.Target(2.0)
    assert verdicts(rule, view(1, 9.0, evals=2), view(2, 9.0, evals=2), view(3, 1.0, evals=0))[-1] is STEP_LIMIT


def test_and_binds_as_in_python():
    rule = ALWAYS | NEVER & NEVER
    assert isinstance(rule, AnyOf)
    assert isinstance(rule.rules[1], AllOf)
    assert verdicts(rule, view()) == [STOPPED]
    assert verdicts((ALWAYS | NEVER) & NEVER, view()) == [RUNNING]


def test_rules_of_finds_every_simple_rule():
    rule = (tw.GradNorm(1.0) | tw.Steps(2)) & (tw.Target(0.0) | tw.Never())
    assert [type(r).__name__ for r in rules_of(rule)] == ["GradNorm", "Steps", "Target", "Never"]


LENGTHS = {
    "steps": (tw.Steps(7), 7.0),
    "epochs": (tw.Epochs(2.5), 10.0),
    "none": (tw.Target(0.0), None),
    "or": (tw.Target(0.0) | tw.Steps(7) | tw.Epochs(1), 4.0),
    "and": (tw.Steps(7) & tw.Epochs(1), 7.0),
    "and without length": (tw.Steps(7) & tw.Target(0.0), None),
}


@pytest.mark.parametrize(("rule", "expected"), LENGTHS.values(), ids=LENGTHS)
def test_the_length_of_a_run(rule, expected):
    assert length(rule, 4.0) == expected


def test_epochs_have_no_length_without_data():
    assert length(tw.Epochs(2), None) is None


# In a run.


def run(stop: tw.Stop, method=tw.SGD(0.1), **options) -> tw.Result:
    return tw.minimize(half_square, np.zeros(3), method, stop=stop, **options)


SILENT = (tw.GradNorm(1e-9), tw.StepNorm(1e-9), tw.ValueChange(1e-9), NEVER, tw.Evaluations(999), tw.Steps(99))
"""Rules that do not fire within 20 steps."""
RUNS = [
    (tw.GradNorm(0.5), CONVERGED),
    (tw.StepNorm(0.05), STOPPED),
    (tw.ValueChange(0.05), STOPPED),
    (tw.Target(0.5), STOPPED),
    (tw.Evaluations(6), STEP_LIMIT),
    (tw.Steps(6), STEP_LIMIT),
]


@pytest.mark.parametrize(("rule", "status"), RUNS, ids=lambda value: type(value).__name__)
def test_a_run_ends_by_its_rule_at_the_first_point_that_satisfies_it(rule, status):
    result = run(AnyOf(tuple(rule if type(other) is type(rule) else other for other in SILENT)))
    assert (result.status, result.ok) == (status, True)
    assert result.rule is rule
    assert 1 < result.steps < 20
    assert float(at_once(half_square, result.x)) == pytest.approx(result.value, rel=1e-5)
    if isinstance(result.rule, tw.GradNorm):
        assert result.optimality <= 0.5 < result.trace.optimality[-2]
    if isinstance(result.rule, tw.Target):
        assert result.value <= 0.5 < result.trace.value[-2]
    if isinstance(result.rule, tw.StepNorm):
        steps = 0.1 * result.trace.optimality[:-1]
        assert steps[-1] <= 0.05 < steps[-2]
    if isinstance(result.rule, tw.ValueChange):
        falls = -np.diff(result.trace.value[:-1])
        assert falls[-1] <= 0.05 < falls[-2]


def test_target_alone_returns_its_point():
    result = run(tw.Target(0.5))
    assert result.x is not None
    assert float(at_once(half_square, result.x)) <= 0.5


def test_converged_inside_and_returns_the_point_whose_certificate_passed():
    """At a rate so large that the next point is far away."""
    result = tw.minimize(lambda x: 5 * x**2, np.asarray(0.04), tw.SGD(9.0), stop=tw.GradNorm(0.5) & tw.Steps(1))
    assert (result.status, result.ok) == (CONVERGED, True)
    assert float(result.x) == pytest.approx(0.04)
    assert result.optimality == pytest.approx(0.4)


@pytest.mark.parametrize("stop", [tw.Steps(5) & tw.GradNorm(1.0), tw.GradNorm(1.0) & tw.Steps(5)], ids=str)
def test_a_proxy_inside_and_is_confirmed_whatever_its_place(stop):
    problem, method = tw.Problem(quartic), tw.FISTA()
    assert method.proxy

    @jax.jit
    def go(x):
        carry = tw.start(problem, method, x, stop)
        carry, _ = tw.iterate(problem, method, carry, stop, jax.random.key(0), capacity=100)
        return carry.status, carry.step, tw.optimality(problem, carry.point)

    status, step, optimality = go(np.zeros(2))
    assert int(status) != RUNNING
    assert 5 <= int(step) < 50
    assert float(optimality) <= 1.0
