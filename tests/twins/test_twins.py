"""Every method takes ten steps beside its naive twin."""

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, iterates, numbers, zoo
from thalweg.problems.known import Known

STEPS = 10
DESCENDING = {name: row for name, row in tw.METHODS.items() if tw.Oracle.GRADIENT in row.solver().needs}
EXAMPLES = {f"{name}-{p}": (name, p, row.example(p)) for name, row in DESCENDING.items() for p in row.solves}
OTHERS = {f"{name}-{case}": (name, p, make()) for name, r in DESCENDING.items() for case, (p, make) in r.cases.items()}
CASES = EXAMPLES | OTHERS
DIFFERENT = {name: row.checks.points for name, row in DESCENDING.items() if row.checks.points is not None}
"""Points at least where a method may stay, as its row says with the reason. All others move at every step."""
DETERMINED = 4
"""Points compared at least, or up to the minimum."""
AMPLIFIED = 1e2
"""A method may be off by so many times what its twin is off when its oracle is off by one rounding."""

pytestmark = pytest.mark.skipif(not X64, reason="rounding in float32 hides a wrong formula")


class Posed(NamedTuple):
    """A problem of the zoo and what a twin may ask of it, in NumPy; compiled once for all methods."""

    known: Known
    value_and_grad: Callable
    others: dict[str, Callable]


@functools.cache
def posed(name: str) -> Posed:
    """The same one every time."""
    known = zoo(name)
    problem = known.problem
    n = problem.objective.examples
    compiled = jax.jit(lambda x: problem.objective.value_and_grad(x))
    one = jax.jit(lambda i, x: problem.objective.at(i[None]).value_and_grad(x)[1])
    product = jax.jit(lambda x, v: problem.objective.hvp(x, v))
    second = jax.jit(lambda i, x: jax.hessian(problem.objective.at(i[None]).value)(x))
    proximal = jax.jit(lambda x, s: problem.prox(x, s))

    def value_and_grad(x):
        value, grad = compiled(x)
        return float(value), np.array(grad)

    def term(i, x):
        return np.asarray(one(i, x))

    def curved(i, x):
        return np.asarray(second(np.asarray(i, np.int32), x))

    term.n = curved.n = n
    others = {
        "term": term,
        "curved": curved,
        "prox": lambda x, s: np.asarray(proximal(x, np.asarray(s, float))),
        "hvp": lambda x, v: np.asarray(product(x, v)),
        "constraints": constraint_oracle(problem),
        "residuals": residual_oracle(problem),
    }
    return Posed(known, value_and_grad, others)


def draws(problem: tw.Problem, solver: tw.Solver):
    """What the method draws at step `t`, with the key that `iterates` hands out, in NumPy."""
    drawing = solver.direction if isinstance(solver, tw.Descent) else solver

    @jax.jit
    def draw(t):
        key = jax.random.split(jax.random.fold_in(jax.random.key(0), t))[1]
        return drawing.draw(key, problem.objective.examples)

    return lambda t: np.asarray(draw(t))


def residual_oracle(problem: tw.Problem):
    """`(r, J)` in NumPy."""
    both = jax.jit(lambda x: (problem.objective.residual(x), jax.jacobian(problem.objective.residual)(x)))
    return lambda x: tuple(map(np.asarray, both(x)))


def constraint_oracle(problem: tw.Problem):
    """`(h, c, J_h, J_c)` in NumPy, finite bounds among `c`."""
    both = jax.jit(lambda x: (problem.equalities(x), problem.inequalities(x)))
    slopes = jax.jit(jax.jacobian(lambda x: (problem.equalities(x), problem.inequalities(x))))

    def constraints(x):
        (h, c), (jh, jc), eye = both(x), slopes(x), np.eye(x.size)
        if problem.bounds is None:
            return tuple(np.asarray(part) for part in (h, c, jh, jc))
        low, high = (np.broadcast_to(side, x.shape) for side in (problem.bounds.lower, problem.bounds.upper))
        below, above = np.isfinite(low), np.isfinite(high)
        c = np.concatenate([c, (low - x)[below], (x - high)[above]])
        return np.asarray(h), c, np.asarray(jh), np.concatenate([jc, -eye[below], eye[above]])

    return constraints


def shaken(value_and_grad, seed):
    """Values and gradients off by one rounding up or down, which some methods amplify from step to step."""
    random = np.random.default_rng(seed)

    def off(a):
        return a * (1 + np.finfo(float).eps * random.choice([-1, 1], np.shape(a)))

    return lambda x: tuple(map(off, value_and_grad(x)))


def spreads(run, value_and_grad, points):
    """How far each of `points` moves with the rounding of the oracle, itself or through an earlier one."""
    others = [run(shaken(value_and_grad, seed)) for seed in range(3)]
    moved = [[np.abs(x - y).max() for x, y in zip(points, other, strict=False)] for other in others]
    return np.maximum.accumulate([max(each) for each in zip(*moved, strict=False)])


def hardest(name: str) -> str:
    """The problem of the first tier: one that bends, where the method's row has it."""
    return "rosenbrock" if "rosenbrock" in tw.METHODS[name].solves else tw.METHODS[name].solves[0]


def tier(case: str, name: str, problem: str) -> list:
    """The mark of a case: a method goes once through its twin in the first tier."""
    return [] if case in EXAMPLES and problem == hardest(name) else [pytest.mark.thorough]


PARAMETERS = [
    pytest.param(name, problem, method, marks=tier(case, name, problem), id=case)
    for case, (name, problem, method) in CASES.items()
]


@pytest.mark.parametrize(("name", "problem", "method"), PARAMETERS)
def test_ten_steps_beside_the_twin(name, problem, method):
    known, value_and_grad, others = posed(problem)
    twin = importlib.import_module(tw.METHODS[name].twin)
    solver = tw.FirstOrder(method) if isinstance(method, tw.Rule) else method
    asked = inspect.signature(twin.run).parameters
    others = others | {"draws": draws(known.problem, solver)}
    hyper = numbers(method) | {name: oracle for name, oracle in others.items() if name in asked}
    x0 = np.asarray(known.x0, float) + 0.25  # off the symmetric starts, so that no two entries share a path

    def run(oracle):
        return twin.run(oracle, x0, STEPS, **hyper)

    expected = run(value_and_grad)
    got = iterates(known.problem, solver, x0, STEPS)
    assert len({x.tobytes() for x in expected}) >= DIFFERENT.get(name, STEPS + 1), "the twin must move"
    allowed = AMPLIFIED * spreads(run, value_and_grad, expected)
    for t, (x, y, amplified) in enumerate(zip(np.asarray(got), expected, allowed, strict=False)):
        if np.abs(value_and_grad(y)[1]).max() < 1e-9 or (t >= DETERMINED and amplified > 1e-6 * np.abs(y).max()):
            break  # at the minimum, or so far on that rounding decides
        # An entry that fell by twelve digits keeps the rounding of those that it came through.
        atol = max(1e-12 * np.abs(y).max(), 1e-16 * np.abs(x0).max(), amplified)
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=atol, err_msg=f"x_{t}")
