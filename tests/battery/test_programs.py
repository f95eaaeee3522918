"""Demands on every method: the same numbers however the run is cut, mapped or compiled, and nothing compiled twice."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import (
    EPS,
    LATENT,
    ON_FUNCTIONS,
    REPRESENTATIVE,
    ROWS,
    Counted,
    assert_close,
    assert_same,
    compilations,
    posed,
    quartic,
    solver,
    until,
)
from thalweg.core.duration import Duration

STEPS = 20
STARTS = np.stack([np.zeros(3), [0.5, -1.0, 3.0]])
CLOSE = 1e-12 if EPS < 1e-12 else 1e3 * EPS
"""Rounding over ten steps."""


@functools.cache
def reference(name: str) -> tw.Result:
    """A run whose chunks the library chooses."""
    return tw.minimize(posed(name, quartic), STARTS[1], solver(name), stop=tw.Steps(STEPS))


def assert_same_run(a: tw.Result, b: tw.Result) -> None:
    """Point, trace, counts and status are equal bit for bit."""
    assert_same(a.x, b.x)
    assert_same(a.trace, b.trace)
    assert (a.status, a.steps, a.evals) == (b.status, b.steps, b.evals)


@pytest.mark.parametrize("name", ROWS)
def test_chunks_never_change_a_number(name):
    for chunk in (1, 7):
        result = tw.minimize(posed(name, quartic), STARTS[1], solver(name), stop=tw.Steps(STEPS), chunk=chunk)
        assert_same_run(result, reference(name))


@pytest.mark.parametrize("name", [*REPRESENTATIVE, *LATENT])
def test_single_dispatch_takes_the_same_steps(name):
    single = tw.minimize(posed(name, quartic), STARTS[1], solver(name), stop=tw.Steps(STEPS), dispatch="single")
    chunked = reference(name)
    assert (single.config["dispatch"], chunked.config["dispatch"]) == ("single", "chunk")
    # Not bit for bit: outside a loop the compiler fuses the value's sum differently.
    assert_close(single.x, chunked.x, CLOSE)
    # A value that fell keeps the rounding of those that it came through.
    rounding = EPS * np.abs(chunked.trace.value[0])
    np.testing.assert_allclose(single.trace.value, chunked.trace.value, rtol=CLOSE, atol=rounding)
    assert (single.status, single.steps, single.evals) == (chunked.status, chunked.steps, chunked.evals)


@pytest.mark.parametrize("name", ROWS)
def test_two_parts_of_a_run_are_the_run(name):
    begun = tw.minimize(posed(name, quartic), STARTS[1], solver(name), stop=tw.Steps(8))
    ended = tw.minimize(posed(name, quartic), STARTS[1], solver(name), stop=tw.Steps(STEPS), state=begun.state)
    assert_same(ended.x, reference(name).x)
    np.testing.assert_array_equal(ended.trace.value, reference(name).trace.value[8:])


def ten_steps(problem: tw.Problem, method: tw.Solver, x0: jax.Array, *, batched: bool = False) -> jax.Array:
    """The point after ten steps by the pure functions."""
    stop = tw.Never()
    carry = tw.start(problem, method, x0, stop)
    return tw.iterate(problem, method, carry, stop, jax.random.key(0), capacity=10, batched=batched)[0].state.x


@pytest.mark.parametrize("name", ROWS)
def test_vmap_is_a_loop(name):
    x0, run = jnp.asarray(STARTS), functools.partial(ten_steps, posed(name, quartic), solver(name))
    alone, together = jax.jit(run), jax.jit(jax.vmap(functools.partial(run, batched=True)))
    assert_close(together(x0), jnp.stack([alone(x) for x in x0]), CLOSE)


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
    def run(x0):
        carry = tw.start(problem, method, x0, stop)
        return tw.iterate(problem, method, carry, stop, jax.random.key(0), capacity=200, batched=True)

    carry, trace = run(jnp.stack([jnp.full(3, 0.9), jnp.full(3, -1.0)]))
    assert list(carry.status) == [tw.Status.STOPPED] * 2
    assert int(carry.step[0]) == 1 < int(carry.step[1]) < 200
    for lane, steps in enumerate(np.asarray(carry.step)):
        assert trace.value[lane, steps - 1] <= 2.0
        assert np.all(trace.value[lane, : steps - 1] > 2.0)
        assert not np.any(trace.value[lane, steps:])


def changed_numbers(name: str) -> tw.Solver:
    """The method with every number but lengths changed, so much that it shows."""
    factor = tw.METHODS[name].checks.change

    def changed(number):
        return number if isinstance(number, Duration) else factor * number

    return jax.tree.map(changed, solver(name), is_leaf=lambda node: isinstance(node, Duration))


@pytest.mark.parametrize("name", ON_FUNCTIONS)
def test_one_program_serves_all_runs(name):
    loss = Counted(quartic)
    problem, run = posed(name, loss), functools.partial(tw.minimize, x0=STARTS[0])
    with compilations() as names:
        run(problem, method=solver(name), stop=until(name, 1e-3) | tw.Steps(30))
    assert len(names) == 1, names
    traces = loss.traces
    with compilations() as names:
        first = run(problem, method=solver(name), stop=until(name, 1e-3) | tw.Steps(30))
        stops = [until(name, 1e-9) | tw.Steps(31), until(name, 0) | tw.Steps(3)]
        others = [run(problem, method=solver(name), stop=stop) for stop in stops]
        changed = run(problem, method=changed_numbers(name), stop=until(name, 1e-3) | tw.Steps(30))
        moved = run(problem, x0=STARTS[1], method=solver(name), stop=until(name, 1e-3) | tw.Steps(30))
    assert names == []
    assert loss.traces == traces, "nothing was traced again either"
    assert others[1].steps == 3
    assert others[0].steps != 3
    assert not np.array_equal(changed.x, first.x), "the numbers did enter"
    assert moved.trace.value[0] != first.trace.value[0]


@pytest.mark.parametrize("name", ROWS)
def test_a_number_and_its_other_spellings_are_one_program(name):
    """An int, a NumPy scalar and a 0-d array are the same hyperparameter as the float."""

    def respelled(spell):
        return jax.tree.map(spell, solver(name))

    run = functools.partial(tw.minimize, posed(name, quartic), STARTS[0], stop=tw.Steps(3))
    first = run(method=solver(name))
    with compilations() as names:
        for spell in (np.float64, np.asarray):
            assert_same(run(method=tw.from_config(tw.to_config(respelled(spell)))).x, first.x)
    assert names == []


def test_an_int_rate_is_a_float_rate():
    run = functools.partial(tw.minimize, quartic, STARTS[0], stop=tw.Steps(3))
    run(method=tw.SGD(0.5))
    with compilations() as names:
        for one in (1, 1.0, np.float32(1), np.int64(1), np.asarray(1.0), jnp.asarray(1.0)):
            run(method=tw.SGD(one))
    assert [name for name in names if "flat" in name] == []


@pytest.mark.parametrize("name", ["sgd", "lbfgs", "fista"])
def test_lane_zero_of_restarts_is_the_run_alone(name):
    result = tw.minimize(quartic, STARTS[0], solver(name), stop=tw.Steps(10), restarts=3, spread=0.3)
    alone = tw.minimize(quartic, STARTS[0], solver(name), stop=tw.Steps(10))
    assert result.restarts.values.shape == (3,)
    assert result.restarts.values[0] == pytest.approx(alone.value, rel=1e3 * EPS)
    assert len(set(result.restarts.values)) == 3, "the lanes have starts of their own"
    assert result.value == result.restarts.values.min()
    assert float(quartic(jnp.asarray(result.x))) == pytest.approx(result.value, rel=1e3 * EPS)
