"""The protocol of a schedule, and the functions that several schedules share."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.fields import fail, number
from thalweg.core.types import Scalar, real


class Schedule(eqx.Module):
    """A learning rate (or momentum) as a function of the step. Any other callable of the step may be used instead."""

    @abc.abstractmethod
    def __call__(self, step: Scalar) -> Scalar:
        """Returns the rate at `step`."""


def rate_of(schedule: Any, step: Scalar) -> Scalar:
    """Returns the rate at a step of a schedule, of any callable, or of a number."""
    return real(schedule(step) if callable(schedule) else schedule)


def as_int32(value: Any) -> Scalar:
    """Returns a whole number as an int32."""
    return jnp.asarray(value).astype(jnp.int32)


def steps_since(step: Scalar, begin: Scalar) -> Scalar:
    """Returns the steps since `begin`, 0 before it; an integer where `step` is one, because float32 counts to 2**24."""
    step = jnp.asarray(step)
    if jnp.issubdtype(step.dtype, jnp.floating):
        return jnp.maximum(real(step) - begin, 0)
    return jnp.maximum(step - as_int32(begin).astype(step.dtype), 0)


def progress(t: Scalar, steps: Scalar) -> Scalar:
    """Returns the fraction of `steps` that is completed at step `t`."""
    return jnp.clip(t / jnp.maximum(steps, 1), 0, 1)


def half_cosine(p: Scalar) -> Scalar:
    """Returns half a cosine from 1 down to 0 as `p` goes from 0 to 1."""
    return 0.5 * (1 + jnp.cos(jnp.pi * p))


def fall_to(p: Scalar, final: Any) -> Scalar:
    """Returns a value from 1 down to `final` as `p` goes from 1 to 0."""
    return final + (1 - final) * p


def schedule_of(value: Any) -> Any:
    """Converts the argument of a composed schedule: numbers become floats, anything else stays as it is."""
    return number(value)


def check_schedule(owner: Any, name: str, value: Any) -> None:
    """Checks that a part of a schedule is a schedule, a callable of the step, or a number >= 0."""
    if callable(value) or (isinstance(value, float) and 0 <= value < float("inf")):
        return
    fail(owner, name, value, "a schedule, a function of the step, or a finite number >= 0")
