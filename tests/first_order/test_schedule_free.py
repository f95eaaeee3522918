"""Schedule-Free: the reported point is not the gradient's point."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import thalweg as tw
from tests.helpers import EPS, X64, assert_close, at_once, iterates, quartic

START = np.asarray([0.5, -1.0, 3.0], float if X64 else np.float32)
CLOSE = 1e-12 if X64 else 1e-4


def by_optax(rule, rate, beta: float, steps: int) -> np.ndarray:
    """The evaluation parameters of Optax's form around a rule after so many steps."""
    return by_form(optax.contrib.schedule_free(rule, rate, b1=beta, weight_lr_power=2.0), steps)


def by_form(form, steps: int) -> np.ndarray:
    """The evaluation parameters of a Schedule-Free transformation of Optax's."""
    with jax.numpy_dtype_promotion("standard"):
        return np.asarray(at_once(evaluated, form, START, steps))


def evaluated(form, y, steps):
    """See `by_form`."""

    def one(_, carry):
        y, state = carry
        update, state = form.update(jax.grad(quartic)(y), state, y)
        return optax.apply_updates(y, update), state

    y, state = jax.lax.fori_loop(0, steps, one, (y, form.init(y)))
    return optax.contrib.schedule_free_eval_params(state, y)


def test_it_is_optax_s_form_at_its_evaluation_parameters():
    ours = tw.minimize(quartic, START, tw.ScheduleFreeSGD(0.01), stop=tw.Steps(30)).x
    assert_close(ours, by_optax(optax.sgd(0.01), 0.01, 0.9, 30), 1e-10 if X64 else 1e-3)


def test_it_is_optax_s_form_with_a_warm_up_and_adam():
    warmup = tw.schedules.Linear(0.0, 0.02, 10)
    rule = tw.ScheduleFree(tw.Adam(warmup, b1=0.0), beta=0.8)
    ours = tw.minimize(quartic, START, rule, stop=tw.Steps(25)).x
    theirs = by_optax(
        optax.adam(optax.linear_schedule(0.0, 0.02, 10), b1=0.0), optax.linear_schedule(0.0, 0.02, 10), 0.8, 25
    )
    # Optax weighs a step by the rate of the next one, the paper's algorithm by its own: near, not equal.
    assert np.abs(ours - theirs).max() < 0.05 * np.abs(theirs - START).max()


def test_beta_zero_is_the_average_of_gradient_descent():
    problem = tw.Problem(quartic)
    fast = np.asarray(iterates(problem, tw.FirstOrder(tw.SGD(0.01)), START, 20))
    average = np.asarray(iterates(problem, tw.ScheduleFreeSGD(0.01, beta=0.0), START, 20))
    assert_close(average[1:], np.cumsum(fast[1:], axis=0) / np.arange(1, 21)[:, None], CLOSE)


def test_the_result_is_at_the_average_and_the_trace_at_the_gradients_point():
    result = tw.minimize(quartic, START, tw.ScheduleFreeSGD(0.01), stop=tw.Steps(10))
    state = result.state.state
    assert result.value == pytest.approx(float(at_once(quartic, result.x)), rel=100 * EPS)
    assert_close(state.x, result.x, 10 * EPS)
    assert np.abs(np.asarray(state.z) - result.x).max() > 0.1
    longer = tw.minimize(quartic, START, tw.ScheduleFreeSGD(0.01), stop=tw.Steps(11))
    gradient_point = 0.1 * np.asarray(state.z) + 0.9 * np.asarray(state.x)
    assert longer.trace.value[10] == pytest.approx(float(at_once(quartic, gradient_point)), rel=1e3 * EPS)


def test_converged_is_said_of_the_average():
    result = tw.minimize(lambda x: jnp.sum((x - 1) ** 2), START, tw.ScheduleFreeSGD(0.3), stop=tw.GradNorm(1e-3))
    assert result.status is tw.Status.CONVERGED
    assert 2 * np.abs(result.x - 1).max() == pytest.approx(result.optimality, rel=1e-4)
    assert result.optimality <= 1e-3


def test_zero_rates_before_a_warm_up_do_not_divide_by_zero():
    result = tw.minimize(quartic, START, tw.ScheduleFreeSGD(tw.schedules.Linear(0.0, 0.01, 5)), stop=tw.Steps(8))
    assert np.isfinite(result.x).all()
    assert result.value < result.trace.value[0]


def test_optax_s_own_form_is_refused():
    theirs = optax.contrib.schedule_free(optax.sgd(0.1), 0.1)
    for method in (theirs, optax.chain(optax.clip(1.0), theirs)):
        with pytest.raises(TypeError, match=r"use tw.ScheduleFree\(rule\)"):
            tw.minimize(quartic, START, method, stop=tw.Steps(3))


@pytest.mark.parametrize(("field", "value"), [("beta", 1.0), ("beta", -0.1), ("power", -1.0)])
def test_numbers_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=rf"ScheduleFree\({field}={value}\)"):
        tw.ScheduleFreeSGD(0.1, **{field: value})


def test_adamw_is_optax_s_form_with_decay_at_the_gradients_point():
    theirs = optax.contrib.schedule_free_adamw(0.05, b1=0.8, b2=0.9, eps=1e-6, weight_decay=0.3)
    rule = tw.ScheduleFreeAdamW(0.05, 0.8, 0.9, 1e-6, weight_decay=0.3)
    ours = tw.minimize(quartic, START, rule, stop=tw.Steps(20)).x
    assert_close(ours, by_form(theirs, 20), 1e-10 if X64 else 1e-3)


def test_adamw_spares_what_the_mask_spares():
    plain = tw.minimize(quartic, START, tw.ScheduleFreeAdamW(0.05), stop=tw.Steps(10)).x
    spared = tw.ScheduleFreeAdamW(0.05, weight_decay=0.3, mask=tw.matrices)
    assert_close(tw.minimize(quartic, START, spared, stop=tw.Steps(10)).x, plain, CLOSE)
