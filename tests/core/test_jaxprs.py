"""What a program computes a turn, counted by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxpr_as_fun

from thalweg.core.jaxprs import holds, live, work, work_a_turn

X = np.ones((3, 4))


def jaxpr(fun, *args):
    """Its equations."""
    return jax.make_jaxpr(fun)(*args).jaxpr


def loop(body):
    """Ten turns of `body`, whose number the program does not know."""
    return lambda x: jax.lax.while_loop(lambda s: s[0] < 10, lambda s: (s[0] + 1, body(s[1])), (0, x))[1]


@pytest.mark.parametrize(
    ("fun", "entries"),
    [
        (jax.lax.sin, 12),
        (lambda x: jax.lax.dot(x, x.T), 12 + 3 * 4 * 3),  # the transpose, and the product
        (lambda x: jax.lax.reduce_max_p.bind(x, axes=(0, 1), out_sharding=None), 12),
        (lambda x: jax.lax.dynamic_update_slice(x, x[:1], (0, 0)), 4 + 4),
        (lambda x: jax.lax.cond(True, jax.lax.sin, lambda x: jax.lax.sin(jax.lax.sin(x)), x), 24),
        (jax.jit(lambda x: jax.lax.sin(jax.lax.sin(x))), 24),
        (lambda x: jax.lax.scan(lambda c, _: (jax.lax.sin(c), None), x, length=5)[0], 60),
    ],
    ids=["map", "product", "reduction", "update", "branches", "nested", "scan"],
)
def test_work(fun, entries):
    program = jaxpr(fun, X)
    assert work(program) == entries
    assert work_a_turn(program) == entries


def test_a_turn_is_that_of_the_outermost_loop_and_one_of_those_within():
    one = jaxpr(loop(jax.lax.sin), X)
    assert work_a_turn(one) == 12 + 2, "the count and its test"
    beside = jaxpr(lambda x: jnp.sum(jax.lax.cos(loop(jax.lax.sin)(x))), X)
    assert work_a_turn(beside) == 12 + 2
    nested = jaxpr(jax.jit(loop(lambda x: jax.lax.cos(loop(jax.lax.sin)(x)))), X)
    assert work_a_turn(nested) == 12 + 12 + 2 + 2


def test_holds_looks_everywhere():
    assert holds(jaxpr(loop(lambda x: jax.lax.cond(True, jax.lax.sin, jax.lax.cos, x)), X), "cos")
    assert not holds(jaxpr(loop(jax.lax.sin), X), "cos", "tan")


def test_what_nobody_needs_is_left_out_and_what_is_seen_outside_is_kept():
    seen = []

    def fun(key, x):
        jax.random.normal(jax.random.split(key)[0], (3,))
        jax.debug.callback(lambda value: seen.append(float(value)), jnp.sum(x))
        return jax.lax.sin(x), 3.0

    closed = jax.make_jaxpr(fun)(jax.random.key(0), X)
    lean = live(closed)
    assert holds(closed.jaxpr, "random_split")
    assert not holds(lean.jaxpr, "random_split")
    y, three = jaxpr_as_fun(lean)(jax.random.key(0), X)
    jax.effects_barrier()
    np.testing.assert_array_equal(y, np.sin(X))
    assert (three, seen) == (3.0, [12.0])
