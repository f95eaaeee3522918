"""Every method takes ten steps beside its naive twin."""

import importlib
import inspect

import jax
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, iterates, numbers
from thalweg.problems import ZOO

STEPS = 10
EXAMPLES = {f"{name}-{p}": (name, p, row.example(p)) for name, row in tw.METHODS.items() for p in row.solves}
OTHERS = {
    "sgd-beyond": ("sgd", "quadratic", tw.SGD(1.9)),
    "momentum-steps": ("momentum", "rosenbrock", tw.Momentum(1e-3, 0.8, "steps")),
    "momentum-average": ("momentum", "rosenbrock", tw.Momentum(5e-3, 0.8, "average")),
    "momentum-nesterov": ("momentum", "rosenbrock", tw.Momentum(1e-3, 0.8, nesterov=True)),
    "momentum-steps-nesterov": ("momentum", "rosenbrock", tw.Momentum(1e-3, 0.8, "steps", nesterov=True)),
    "momentum-average-nesterov": ("momentum", "rosenbrock", tw.Momentum(5e-3, 0.8, "average", nesterov=True)),
    "adam-numbers": ("adam", "rosenbrock", tw.Adam(0.1, b1=0.5, b2=0.9, eps=1e-2)),
    "adamw-numbers": ("adamw", "rosenbrock", tw.AdamW(0.1, b1=0.5, b2=0.9, eps=1e-2, weight_decay=0.7)),
    "adamw-masked": ("adamw", "rosenbrock", tw.AdamW(0.1, weight_decay=0.7, mask=tw.matrices)),
    "steepest-descent-numbers": ("steepest-descent", "rosenbrock", tw.SteepestDescent(tw.Backtracking(0.3, 0.8))),
    "lbfgs-full-ring": ("lbfgs", "rosenbrock", tw.LBFGS(3)),
    "lbfgs-zoom": ("lbfgs", "beale", tw.LBFGS(2, tw.StrongWolfe(slope=1e-2, curvature=0.05))),
    "lbfgs-given-up": ("lbfgs", "rosenbrock", tw.LBFGS(2, tw.StrongWolfe(curvature=0.01, max_trials=2))),
    "projected-gradient-numbers": (
        "projected-gradient",
        "box-quadratic",
        tw.ProjectedGradient(2, 0.3, max_step=3.0, search=tw.Backtracking(0.3, 0.6)),
    ),
    "projected-gradient-monotone": ("projected-gradient", "rosenbrock", tw.ProjectedGradient(1)),
    "augmented-lagrangian-numbers": (
        "augmented-lagrangian",
        "hs35",
        tw.AugmentedLagrangian(tw.LBFGS(3), penalty=2.0, growth=4.0, inner_steps=2),
    ),
    "augmented-lagrangian-bounds": (
        "augmented-lagrangian",
        "box-quadratic",
        tw.AugmentedLagrangian(penalty=1.5, inner_steps=3),
    ),
    "fista-numbers": ("fista", "lasso", tw.FISTA(8.0, decrease=0.7, growth=1.5)),
}
CASES = EXAMPLES | OTHERS

pytestmark = pytest.mark.skipif(not X64, reason="rounding in float32 hides a wrong formula")


def oracles(problem: tw.Problem):
    """`(value_and_grad, prox)` in NumPy."""
    compiled = jax.jit(lambda x: problem.objective.value_and_grad(x))

    def value_and_grad(x):
        value, grad = compiled(x)
        return float(value), np.array(grad)

    return value_and_grad, lambda x, s: np.asarray(problem.prox(x, jax.numpy.asarray(s)))


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


@pytest.mark.parametrize(("name", "problem", "method"), CASES.values(), ids=CASES)
def test_ten_steps_beside_the_twin(name, problem, method):
    row, known = tw.METHODS[name], ZOO[problem]()
    twin = importlib.import_module(row.twin)
    value_and_grad, prox = oracles(known.problem)
    hyper = numbers(method)
    if "prox" in inspect.signature(twin.run).parameters:
        hyper["prox"] = prox
    if "constraints" in inspect.signature(twin.run).parameters:
        hyper["constraints"] = constraint_oracle(known.problem)
    x0 = np.asarray(known.x0, float) + 0.25  # off the symmetric starts, so that no two entries share a path
    expected = twin.run(value_and_grad, x0, STEPS, **hyper)
    solver = tw.FirstOrder(method) if isinstance(method, tw.Rule) else method
    got = iterates(known.problem, solver, x0, STEPS)
    assert len({x.tobytes() for x in expected}) == STEPS + 1, "the twin must move at every step"
    for t, (x, y) in enumerate(zip(got, expected, strict=True)):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12 * np.abs(y).max(), err_msg=f"x_{t}")
