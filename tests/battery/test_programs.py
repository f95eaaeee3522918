"""Demands on every method: the same numbers however the run is cut, mapped or compiled, and nothing compiled twice."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.battery.runs import KINDS, STARTS, first_program, limits, loss_of, reference, run, single
from tests.helpers import (
    EPS,
    LATENT,
    ON_FUNCTIONS,
    REPRESENTATIVE,
    ROWS,
    assert_close,
    assert_same,
    at_once,
    compilations,
    posed,
    quartic,
    sampled,
    solver,
)
from thalweg.core.duration import Duration

CLOSE = 1e-12 if EPS < 1e-12 else 1e3 * EPS
"""Rounding over ten steps."""


def assert_same_run(a: tw.Result, b: tw.Result) -> None:
    """Point, trace, counts and status are equal bit for bit."""
    assert_same(a.x, b.x)
    assert_same(a.trace, b.trace)
    assert (a.status, a.steps, a.evals) == (b.status, b.steps, b.evals)


@pytest.mark.parametrize("name", ROWS)
def test_chunks_never_change_a_number(name):
    for chunk in (1, 7):
        assert_same_run(run(name, limits(name), STARTS[1], chunk=chunk), reference(name))


@pytest.mark.parametrize("name", sampled([*REPRESENTATIVE, *LATENT], KINDS))
def test_single_dispatch_takes_the_same_steps(name):
    stepped, chunked = single(name).result, reference(name)
    assert (stepped.config["dispatch"], chunked.config["dispatch"]) == ("single", "chunk")
    # Not bit for bit: outside a loop the compiler fuses the value's sum differently.
    assert_close(stepped.x, chunked.x, CLOSE)
    # A value that fell keeps the rounding of those that it came through.
    rounding = EPS * np.abs(chunked.trace.value[0])
    np.testing.assert_allclose(stepped.trace.value, chunked.trace.value, rtol=CLOSE, atol=rounding)
    assert (stepped.status, stepped.steps, stepped.evals) == (chunked.status, chunked.steps, chunked.evals)


@pytest.mark.parametrize("name", ROWS)
def test_two_parts_of_a_run_are_the_run(name):
    begun = run(name, limits(name, 8), STARTS[1])
    ended = run(name, limits(name), STARTS[1], state=begun.state)
    assert_same(ended.x, reference(name).x)
    np.testing.assert_array_equal(ended.trace.value, reference(name).trace.value[8:])


def ten_steps(problem: tw.Problem, method: tw.Solver, x0: jax.Array, *, batched: bool = False) -> jax.Array:
    """The point after ten steps by the pure functions."""
    stop = tw.Never()
    carry = tw.start(problem, method, x0, stop)
    return tw.iterate(problem, method, carry, stop, jax.random.key(0), capacity=10, batched=batched)[0].state.x


@pytest.mark.parametrize("name", sampled(ROWS, (*KINDS, *LATENT, "adam", "muon")))
def test_vmap_is_a_loop(name):
    together = jax.jit(jax.vmap(functools.partial(ten_steps, posed(name, quartic), solver(name), batched=True)))
    alone = [run(name, limits(name, 10), x0).x for x0 in STARTS]
    assert_close(together(STARTS), np.stack(alone), CLOSE)


@pytest.mark.parametrize("name", ["sgd", "adam"])  # eager searches take seconds
def test_jit_is_eager_and_a_while_loop_can_be_mapped_too(name):
    x0, run = jnp.asarray(STARTS), functools.partial(ten_steps, posed(name, quartic), solver(name))
    alone = jax.jit(run)
    assert_close(run(x0[1]), alone(x0[1]), CLOSE)
    assert_close(jax.jit(jax.vmap(run))(x0)[1], alone(x0[1]), CLOSE)


@pytest.mark.parametrize("name", ["sgd", "lbfgs"])
def test_a_finished_lane_holds_still(name):
    """Lanes under vmap end at their own steps."""
    problem, method, stop = tw.Problem(quartic), solver(name), tw.Target(2.0)

    @jax.jit
    @jax.vmap
    def run_lanes(x0):
        carry = tw.start(problem, method, x0, stop)
        return tw.iterate(problem, method, carry, stop, jax.random.key(0), capacity=200, batched=True)

    carry, trace = run_lanes(np.stack([np.full(3, 0.9), np.full(3, -1.0)]))
    (first, second), values = np.asarray(carry.step), np.asarray(trace.value)
    assert list(np.asarray(carry.status)) == [tw.Status.STOPPED] * 2
    assert first == 1 < second < 200
    for lane, steps in enumerate((first, second)):
        assert values[lane, steps - 1] <= 2.0
        assert np.all(values[lane, : steps - 1] > 2.0)
        assert not np.any(values[lane, steps:])


def changed_numbers(name: str) -> tw.Solver:
    """The method with every number but lengths changed, so much that it shows."""
    factor = tw.METHODS[name].checks.change

    def changed(number):
        return number if isinstance(number, Duration) else factor * number

    return jax.tree.map(changed, solver(name), is_leaf=lambda node: isinstance(node, Duration))


@pytest.mark.parametrize("name", ON_FUNCTIONS)
def test_one_program_serves_all_runs(name):
    assert len(first_program(name)) == 1, first_program(name)
    first = run(name, limits(name, 30, 1e-3))
    traces = loss_of(name).traces
    with compilations() as names:
        again = run(name, limits(name, 30, 1e-3))
        others = [run(name, limits(name, 31, 1e-9)), run(name, limits(name, 3))]
        changed = run(name, limits(name, 30, 1e-3), method=changed_numbers(name))
        moved = run(name, limits(name, 30, 1e-3), STARTS[1])
    assert names == []
    assert loss_of(name).traces == traces, "nothing was traced again either"
    assert_same(again.x, first.x)
    assert others[1].steps == 3
    assert others[0].steps != 3
    assert not np.array_equal(changed.x, first.x), "the numbers did enter"
    assert moved.trace.value[0] != first.trace.value[0]


@pytest.mark.parametrize("name", ROWS)
def test_a_number_and_its_other_spellings_are_one_program(name):
    """An int, a NumPy scalar and a 0-d array are the same hyperparameter as the float."""

    def respelled(spell):
        return jax.tree.map(spell, solver(name))

    first = run(name, limits(name, 3))
    with compilations() as names:
        for spell in (np.float64, np.asarray):
            again = run(name, limits(name, 3), method=tw.from_config(tw.to_config(respelled(spell))))
            assert_same(again.x, first.x)
    assert names == []


def test_an_int_rate_is_a_float_rate():
    run = functools.partial(tw.minimize, quartic, STARTS[0], stop=tw.Steps(3))
    run(method=tw.SGD(0.5))
    with compilations() as names:
        for one in (1, 1.0, np.float32(1), np.int64(1), np.asarray(1.0), jnp.asarray(1.0)):
            run(method=tw.SGD(one))
    assert [name for name in names if "flat" in name] == []


@pytest.mark.parametrize("name", sampled(["sgd", "lbfgs", "fista"], ["lbfgs"]))
def test_lane_zero_of_restarts_is_the_run_alone(name):
    result = tw.minimize(quartic, STARTS[0], solver(name), stop=tw.Steps(10), restarts=3, spread=0.3)
    alone = tw.minimize(quartic, STARTS[0], solver(name), stop=tw.Steps(10))
    assert result.restarts.values.shape == (3,)
    assert result.restarts.values[0] == pytest.approx(alone.value, rel=1e3 * EPS)
    assert len(set(result.restarts.values)) == 3, "the lanes have starts of their own"
    assert result.value == result.restarts.values.min()
    assert float(at_once(quartic, result.x)) == pytest.approx(result.value, rel=1e3 * EPS)
