"""Sophia's rule: the diagonal comes as an argument, at some steps."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import thalweg as tw
from tests.helpers import X64, assert_close, at_once
from tests.rules import matrices
from tests.twins import sophia

FLOAT = float if X64 else np.float32
CLOSE = 1e-12 if X64 else 5e-6
DIAGONAL = np.asarray([0.5, 10.0, -1.0, 200.0], FLOAT)
START = np.asarray([1.0, -2.0, 0.1, 3.0], FLOAT)


def quadratic(x):
    """One curvature is negative."""
    return 0.5 * jnp.sum(jnp.asarray(DIAGONAL) * x**2)


def path(rule, steps: int, given) -> np.ndarray:
    """`x_0, ..., x_steps` with the exact diagonal at the steps `t` where `given(t)`."""
    return np.asarray(at_once(walked, rule, START, tuple(given(t) for t in range(steps))))


def walked(rule, x, given):
    """See `path`: step by step, as what is given differs."""
    xs, state = [x], rule.init(x)
    for now in given:
        diagonal = {"hessian_diagonal": jnp.asarray(DIAGONAL)} if now else {}
        step, state = rule.update(jax.grad(quadratic)(x), state, x, **diagonal)
        x = x + step
        xs.append(x)
    return jnp.stack(xs)


@pytest.mark.skipif(not X64, reason="rounding in float32 hides a wrong formula")
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("numbers", [{}, {"b1": 0.5, "b2": 0.8, "gamma": 0.3, "eps": 1e-3, "weight_decay": 0.1}])
def test_ten_steps_beside_the_twin(every, numbers):
    rule = tw.Sophia(0.1, **numbers)
    hyper = {name: getattr(rule, name) for name in ("learning_rate", "b1", "b2", "gamma", "eps")}

    def value_and_grad(x):
        return 0.5 * np.sum(DIAGONAL * x**2), DIAGONAL * x

    expected = sophia.run(
        value_and_grad, START, 10, diagonal=lambda x: DIAGONAL, every=every, weight_decay=rule.weight_decay, **hyper
    )
    np.testing.assert_allclose(path(rule, 10, lambda t: t % every == 0), expected, rtol=1e-10, atol=1e-12)


def test_optax_s_form_sees_an_estimate_one_step_later_and_corrects_the_momentum():
    """Without momentum and with our estimate given late the two are one."""
    exact = optax.GradientTransformation(lambda x: (), lambda g, state, x=None: (jnp.asarray(DIAGONAL), state))
    theirs = optax.contrib.sophia(0.1, 0.0, 0.9, 1e-6, 0.05, gamma=0.2, update_interval=2, hessian_diagonal_fn=exact)
    with jax.numpy_dtype_promotion("standard"):
        expected = matrices.path(theirs, START, quadratic, 8)
    ours = path(tw.Sophia(0.1, 0.0, 0.9, 0.2, 1e-6, 0.05), 8, lambda t: t % 2 == 1)
    assert_close(ours, expected, CLOSE)


@pytest.mark.parametrize(
    "method",
    [
        tw.Sophia(0.1),
        tw.Clip(tw.Lookahead(tw.Sophia(0.1))),
        tw.Partition({"**": tw.Sophia(0.1)}),
        tw.Nesterov(tw.Sophia(0.1)),
        tw.ScheduleFree(tw.Sophia(0.1)),
        tw.SAM(tw.Sophia(0.1)),
    ],
    ids=lambda method: type(method).__name__,
)
def test_a_loop_that_estimates_no_curvature_refuses_it(method):
    with pytest.raises(ValueError, match="needs an estimate of the Hessian's diagonal, which no loop makes yet"):
        tw.minimize(quadratic, START, method)


def test_a_step_without_an_estimate_keeps_the_mean():
    rule = tw.Sophia(0.1)
    x = {"a": np.ones(2), "none": None, "empty": np.zeros((0, 2))}
    given, kept = at_once(estimated_once, rule, x)
    np.testing.assert_allclose(given.h["a"], 0.01, rtol=1e-5)
    np.testing.assert_array_equal(kept.h["a"], given.h["a"])


def estimated_once(rule, x):
    """The state after a step with an estimate, and after one without."""
    _, given = rule.update(x, rule.init(x), x, hessian_diagonal=x, value=1.0)
    return given, rule.update(x, given, x)[1]


def test_no_entry_moves_further_than_the_rate_and_negative_curvature_is_left_downhill():
    xs = path(tw.Sophia(0.1), 10, lambda t: True)
    assert np.abs(np.diff(xs, axis=0)).max() <= 0.1 * (1 + 1e-6)
    assert np.all(np.diff(xs[:, 2]) > 0.099), "away from the maximum at 0, at full speed"


def test_it_is_newton_s_step_where_nothing_is_clipped():
    """Without means, and with gamma = 1, the quadratic is solved in one step."""
    rule = tw.Sophia(1.0, b1=0.0, b2=0.0, gamma=1.0)
    x = np.asarray([0.5, -0.9], FLOAT)
    update = at_once(lambda x: rule.update(3 * x, rule.init(x), x, hessian_diagonal=jnp.full(2, 3.0, x.dtype))[0], x)
    np.testing.assert_allclose(x + update, 0.0, atol=1e-6)
