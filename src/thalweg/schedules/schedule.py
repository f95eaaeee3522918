"""What a schedule is, and what several of them share."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from thalweg.core.fields import fail, number
from thalweg.core.types import Scalar, real


class Schedule(eqx.Module):
    """A rate as a function of the step. Any callable of the step serves as well."""

    @abc.abstractmethod
    def __call__(self, step: Scalar) -> Scalar:
        """The rate at `step`."""


def rate_of(schedule: Any, step: Scalar) -> Scalar:
    """What a schedule, any callable or a number says for a step."""
    return real(schedule(step) if callable(schedule) else schedule)


def as_int32(value: Any) -> Scalar:
    """A whole number, as one."""
    return jnp.asarray(value).astype(jnp.int32)


def steps_since(step: Scalar, begin: Scalar) -> Scalar:
    """Steps since `begin`, none before it: whole where `step` is, for a float32 counts to 2**24 only."""
    step = jnp.asarray(step)
    if jnp.issubdtype(step.dtype, jnp.floating):
        return jnp.maximum(real(step) - begin, 0)
    return jnp.maximum(step - as_int32(begin).astype(step.dtype), 0)


def progress(t: Scalar, steps: Scalar) -> Scalar:
    """The fraction of `steps` that is done at step `t`."""
    return jnp.clip(t / jnp.maximum(steps, 1), 0, 1)


def half_cosine(p: Scalar) -> Scalar:
    """From 1 down to 0 as `p` goes from 0 to 1."""
    return 0.5 * (1 + jnp.cos(jnp.pi * p))


def fall_to(p: Scalar, final: Any) -> Scalar:
    """From 1 down to `final` as `p` goes from 1 to 0."""
    return final + (1 - final) * p


def schedule_of(value: Any) -> Any:
    """A schedule, a callable, or a number for a constant rate."""
    return number(value)


def check_schedule(owner: Any, name: str, value: Any) -> None:
    """A part is a schedule, a callable of the step, or a number >= 0."""
    if callable(value) or (isinstance(value, float) and 0 <= value < float("inf")):
        return
    fail(owner, name, value, "a schedule, a function of the step, or a finite number >= 0")
