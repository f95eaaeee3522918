"""What the demands on a method share: one loss that counts itself, and one program for all runs on it."""

import functools
from typing import Any, NamedTuple

import numpy as np

import thalweg as tw
from tests.helpers import Counted, compilations, posed, quartic, solver, until

STEPS = 20
STARTS = np.stack([np.zeros(3), [0.5, -1.0, 3.0]])
KINDS = ("sgd", "lbfgs", "trust-region", "levenberg-marquardt", "svrg", "fista", "augmented-lagrangian")
"""One method of each kind: the first tier asks of these what the loop around a method does, not the method."""
UNLIMITED = 10**6
"""Evaluations that no run here asks for."""


@functools.cache
def loss_of(name: str) -> Counted:
    """The method's own quartic."""
    return Counted(quartic)


def problem_of(name: str) -> tw.Problem:
    """The quartic, posed as the method takes it."""
    return posed(name, loss_of(name))


def limits(name: str, steps: int = STEPS, tolerance: float = 0.0, evaluations: int = UNLIMITED) -> tw.Stop:
    """Stop rules that differ in numbers only, so that all runs of a method are one program."""
    return until(name, tolerance) | tw.Steps(steps) | tw.Evaluations(evaluations)


def run(name: str, stop: tw.Stop, x0: np.ndarray = STARTS[0], method: tw.Solver | None = None, **options: Any):
    """`minimize` on the method's quartic, whose first program of all is noted."""
    first_program(name)
    return tw.minimize(problem_of(name), x0, solver(name) if method is None else method, stop=stop, **options)


@functools.cache
def first_program(name: str) -> tuple[str, ...]:
    """The names of what the first run of a method compiled."""
    with compilations() as names:
        tw.minimize(problem_of(name), STARTS[0], solver(name), stop=limits(name, tolerance=1e-3))
    return tuple(names)


@functools.cache
def reference(name: str) -> tw.Result:
    """A run whose chunks the library chooses."""
    return run(name, limits(name), STARTS[1])


class Measured(NamedTuple):
    """A run, and how often it evaluated its loss by the loss's own count."""

    result: tw.Result
    executions: int


def measured(name: str, stop: tw.Stop, **options: Any) -> Measured:
    """A run of which the evaluations are counted by the loss itself."""
    first_program(name)
    before = loss_of(name).count
    result = run(name, stop, **options)
    return Measured(result, loss_of(name).count - before)


@functools.cache
def single(name: str) -> Measured:
    """The reference's run, one step a call."""
    return measured(name, limits(name), x0=STARTS[1], dispatch="single")
