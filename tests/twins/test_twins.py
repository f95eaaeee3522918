"""Every method takes ten steps beside its naive twin."""

import functools
import importlib
import inspect
from collections.abc import Callable

import jax
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, iterates, numbers
from thalweg.problems import ZOO
from thalweg.problems.known import Known

STEPS = 10
DESCENDING = {name: row for name, row in tw.METHODS.items() if tw.Oracle.GRADIENT in row.solver().needs}
EXAMPLES = {f"{name}-{p}": (name, p, row.example(p)) for name, row in DESCENDING.items() for p in row.solves}
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
    "clip-numbers": ("clip", "rosenbrock", tw.Clip(tw.SGD(1e-3), 20.0)),
    "clip-value": ("clip", "rosenbrock", tw.Clip(tw.SGD(1e-3), 15.0, "value")),
    "adaptive-clip-numbers": ("adaptive-clip", "rosenbrock", tw.AdaptiveClip(tw.SGD(1e-3), 5.0, 0.1)),
    "gradient-noise-numbers": ("gradient-noise", "rosenbrock", tw.GradientNoise(tw.SGD(1e-3), 4.0, 0.3)),
    "adagrad-numbers": ("adagrad", "rosenbrock", tw.AdaGrad(0.3, 1e-2, "outside", 0.1)),
    "rmsprop-numbers": ("rmsprop", "rosenbrock", tw.RMSProp(0.01, 0.7, 1e-2, "outside")),
    "rmsprop-centred": ("rmsprop", "rosenbrock", tw.RMSProp(0.01, 0.7, 1e-2, centred=True)),
    "rmsprop-momentum": ("rmsprop", "rosenbrock", tw.RMSProp(0.01, 0.7, momentum=0.8)),
    "rmsprop-both": ("rmsprop", "rosenbrock", tw.RMSProp(0.01, 0.7, 1e-2, "outside", centred=True, momentum=0.8)),
    "adadelta-numbers": ("adadelta", "rosenbrock", tw.AdaDelta(0.5, 0.8, 1e-2, "outside")),
    "nadam-numbers": ("nadam", "rosenbrock", tw.NAdam(0.1, 0.5, 0.9, 1e-2)),
    "amsgrad-numbers": ("amsgrad", "rosenbrock", tw.AMSGrad(0.1, 0.5, 0.6, 1e-2)),
    "radam-numbers": ("radam", "rosenbrock", tw.RAdam(1e-3, 0.5, 0.9, 1e-2, 4.5)),
    "radam-defaults": ("radam", "rosenbrock", tw.RAdam(1e-4)),
    "adan-numbers": ("adan", "rosenbrock", tw.Adan(0.1, 0.5, 0.7, 0.9, 1e-2, weight_decay=0.7)),
    "adan-masked": ("adan", "rosenbrock", tw.Adan(0.1, weight_decay=0.7, mask=tw.matrices)),
    "adopt-numbers": ("adopt", "rosenbrock", tw.ADOPT(0.1, 0.5, 0.6, 1e-2, clip=False, weight_decay=0.7)),
    "adopt-masked": ("adopt", "rosenbrock", tw.ADOPT(0.1, weight_decay=0.7, mask=tw.matrices)),
    "ademamix-numbers": ("ademamix", "rosenbrock", tw.AdEMAMix(0.1, 0.5, 0.9, 0.95, 3.0, 1e-2, weight_decay=0.7)),
    "ademamix-warmup": ("ademamix", "rosenbrock", tw.AdEMAMix(0.1, 0.5, weight_decay=0.7, mask=tw.matrices, warmup=7)),
    "lion-numbers": ("lion", "rosenbrock", tw.Lion(0.1, 0.5, 0.6, weight_decay=0.7)),
    "lion-masked": ("lion", "rosenbrock", tw.Lion(0.01, weight_decay=0.7, mask=tw.matrices)),
    "signum": ("sign-sgd", "rosenbrock", tw.SignSGD(0.01, 0.7)),
    "adafactor-numbers": (
        "adafactor",
        "rosenbrock",
        tw.Adafactor(0.1, 1e-3, 0.1, clip=0.5, decay=0.6, weight_decay=0.2),
    ),
    "adafactor-absolute": (
        "adafactor",
        "rosenbrock",
        tw.Adafactor(0.1, weight_decay=0.2, relative=False, mask=tw.matrices),
    ),
    "adam-mini-numbers": ("adam-mini", "rosenbrock", tw.AdamMini(0.1, 0.5, 0.9, 1e-2, weight_decay=0.7)),
    "lars-numbers": ("lars", "rosenbrock", tw.LARS(0.2, 0.8, weight_decay=0.7, trust=0.1)),
    "lars-masked": ("lars", "rosenbrock", tw.LARS(1e-3, 0.8, weight_decay=0.7, mask=tw.matrices)),
    "lamb-numbers": ("lamb", "rosenbrock", tw.LAMB(0.1, 0.5, 0.9, 1e-2, weight_decay=0.7)),
    "lamb-masked": ("lamb", "rosenbrock", tw.LAMB(0.1, weight_decay=0.7, mask=tw.matrices)),
    "prodigy-numbers": (
        "prodigy",
        "rosenbrock",
        tw.Prodigy(0.5, 0.5, 0.9, 0.7, 1e-2, weight_decay=0.7, d0=0.1, growth=2),
    ),
    "prodigy-safeguard": ("prodigy", "rosenbrock", tw.Prodigy(0.5, safeguard=True, weight_decay=0.7, mask=tw.matrices)),
    "dadapt-adam-numbers": (
        "dadapt-adam",
        "rosenbrock",
        tw.DAdaptAdam(0.5, 0.5, 0.9, 1e-2, weight_decay=0.7, d0=1e-3),
    ),
    "lookahead-numbers": ("lookahead", "rosenbrock", tw.Lookahead(tw.SGD(1e-3), 3, 0.8)),
    "cautious-numbers": ("cautious", "least-squares", tw.Cautious(tw.Momentum(0.5, 0.8), xi=0.2)),
    "mars-numbers": ("mars", "rosenbrock", tw.MARS(tw.Adam(0.1, 0.8, 0.9), 0.3, 0.8, limit=3.0)),
    "mars-values": ("mars", "rosenbrock", tw.MARS(tw.Adam(0.1, 0.8, 0.9), 0.3, 0.8, limit=20.0, by="value")),
    "schedule-free-adamw-numbers": (
        "schedule-free-adamw",
        "rosenbrock",
        tw.ScheduleFreeAdamW(0.05, 0.5, 0.9, 1e-2, weight_decay=0.7, power=1),
    ),
    "muon-numbers": ("muon", "rosenbrock", tw.Muon(0.3, others=tw.SGD(1e-3))),
    "shampoo-means": ("shampoo", "rosenbrock", tw.Shampoo(0.1, 0.5, 0.9, 1e-3)),
    "shampoo-grafted": ("shampoo", "rosenbrock", tw.Shampoo(1e-3, graft="sgd")),
    "soap-numbers": ("soap", "rosenbrock", tw.SOAP(0.1, 0.5, 0.9, 1e-2, 0.7)),
    "weight-decay-numbers": ("weight-decay", "rosenbrock", tw.WeightDecay(tw.Adam(0.1, 0.5, 0.9, 1e-2), 0.7)),
    "weight-decay-coupled": ("weight-decay", "rosenbrock", tw.WeightDecay(tw.Adam(0.1), 0.7, decoupled=False)),
    "weight-decay-masked": ("weight-decay", "rosenbrock", tw.WeightDecay(tw.Adam(0.1), 0.7, mask=tw.matrices)),
    "compact-state-bytes": (
        "compact-state",
        "rosenbrock",
        tw.CompactState(tw.Momentum(1e-3, 0.8), "int8", "nearest", min_size=0),
    ),
    "master-copy-numbers": ("master-copy", "rosenbrock", tw.MasterCopy(tw.SGD(1e-3))),
    "nesterov-numbers": ("nesterov", "rosenbrock", tw.Nesterov(tw.Momentum(5e-4, 0.95))),
    "sam-numbers": ("sam", "rosenbrock", tw.SAM(tw.SGD(1e-3), rho=0.3)),
    "asam-numbers": ("asam", "rosenbrock", tw.ASAM(tw.SGD(1e-3), rho=0.3, offset=0.1)),
    "schedule-free-sgd-numbers": ("schedule-free-sgd", "rosenbrock", tw.ScheduleFreeSGD(2e-3, beta=0.5, power=1)),
    "steepest-descent-numbers": (
        "steepest-descent",
        "rosenbrock",
        tw.SteepestDescent(tw.line_search.Backtracking(0.3, 0.8)),
    ),
    "steepest-descent-parabola": (
        "steepest-descent",
        "rosenbrock",
        tw.SteepestDescent(tw.line_search.Backtracking(0.3, interpolate=True)),
    ),
    "conjugate-gradient-numbers": (
        "conjugate-gradient",
        "rosenbrock",
        tw.ConjugateGradient("hager-zhang", 0.9, tw.line_search.HagerZhang(0.01, 0.02, 0.4, 0.3, 2.0)),
    ),
    "polak-ribiere-numbers": (
        "conjugate-gradient",
        "rosenbrock",
        tw.ConjugateGradient("polak-ribiere", search=tw.line_search.HagerZhang(0.2, 0.3, 0.7, 0.1, 8.0)),
    ),
    "barzilai-borwein-short": ("barzilai-borwein", "rosenbrock", tw.BarzilaiBorweinDescent("short", 1, 0.1)),
    "barzilai-borwein-long": ("barzilai-borwein", "rosenbrock", tw.BarzilaiBorweinDescent("long", 3)),
    "polyak-numbers": ("polyak", "rosenbrock", tw.PolyakDescent(-1.0, 0.3)),
    "polyak-level": ("polyak", "least-squares", tw.SteepestDescent(tw.line_search.PolyakStep(None, 0.7, 0.4, 1.5))),
    "lbfgs-full-ring": ("lbfgs", "rosenbrock", tw.LBFGS(3)),
    "lbfgs-zoom": ("lbfgs", "beale", tw.LBFGS(2, tw.line_search.StrongWolfe(slope=1e-2, curvature=0.05))),
    "lbfgs-given-up": ("lbfgs", "rosenbrock", tw.LBFGS(2, tw.line_search.StrongWolfe(curvature=0.01, max_trials=2))),
    "lbfgsb-full-ring": ("lbfgsb", "box-quadratic", tw.LBFGSB(3)),
    "lbfgsb-numbers": ("lbfgsb", "hs38", tw.LBFGSB(2, tw.line_search.StrongWolfe(slope=1e-2, curvature=0.05))),
    "lbfgsb-no-bounds": ("lbfgsb", "rosenbrock", tw.LBFGSB()),
    "newton-numbers": ("newton", "rosenbrock", tw.Newton(tw.line_search.StrongWolfe(1e-2, 0.1), "absolute", 0.3, 0.2)),
    "newton-shift": ("newton", "himmelblau", tw.Newton(damping=0.1, longest=0.5)),
    "newton-cg-numbers": ("newton-cg", "rosenbrock", tw.NewtonCG(tw.line_search.StrongWolfe(1e-2, 0.1), 0.01, 5, 0.1)),
    "bfgs-zoom": ("bfgs", "beale", tw.BFGS(tw.line_search.StrongWolfe(slope=1e-2, curvature=0.05))),
    "bfgs-given-up": ("bfgs", "rosenbrock", tw.BFGS(tw.line_search.StrongWolfe(curvature=0.01, max_trials=2))),
    "trust-region-numbers": (
        "trust-region",
        "rosenbrock",
        tw.TrustRegion(tw.trust_region.SteihaugCG(0.2, 1), 0.3, 0.5, accept=0.2, shrink=0.4, growth=1.5),
    ),
    "trust-cauchy-numbers": (
        "trust-cauchy",
        "rosenbrock",
        tw.TrustRegion(tw.trust_region.CauchyPoint(), 0.3, 0.5, accept=0.2, shrink=0.4, growth=1.5),
    ),
    "trust-dogleg-numbers": (
        "trust-dogleg",
        "rosenbrock",
        tw.TrustRegion(tw.trust_region.Dogleg(), 0.3, 0.5, accept=0.2, shrink=0.4, growth=1.5),
    ),
    "trust-exact-numbers": (
        "trust-exact",
        "himmelblau",
        tw.TrustRegion(tw.trust_region.ExactStep(), 0.3, 0.5, accept=0.2, shrink=0.4, growth=1.5),
    ),
    "cubic-regularization-numbers": (
        "cubic-regularization",
        "himmelblau",
        tw.CubicRegularization(0.3, accept=0.2, shrink=0.4, growth=1.5),
    ),
    "sr1-numbers": (
        "sr1",
        "rosenbrock",
        tw.TrustRegion(
            tw.trust_region.SteihaugCG(0.2, 5),
            0.3,
            0.5,
            accept=0.2,
            shrink=0.4,
            growth=1.5,
            model=tw.trust_region.SR1Model(0.3),
        ),
    ),
    "levenberg-marquardt-numbers": ("levenberg-marquardt", "bard", tw.LevenbergMarquardt(True, 0.1, 2.0, 0.2)),
    "gauss-newton-numbers": ("gauss-newton", "beale-residuals", tw.GaussNewton(tw.line_search.Backtracking(0.3, 0.8))),
    "preconditioned-lbfgs-whole": ("preconditioned-lbfgs", "logistic", tw.PreconditionedLBFGS(1000, 3)),
    "preconditioned-lbfgs-numbers": (
        "preconditioned-lbfgs",
        "logistic",
        tw.PreconditionedLBFGS(7, 2, 0.3, tw.line_search.StrongWolfe(slope=1e-2, curvature=0.05)),
    ),
    "svrg-ragged-batches": ("svrg", "lasso", tw.SVRG(0.02, batch_size=7)),
    "svrg-inner-steps": ("svrg", "logistic", tw.SVRG(0.1, batch_size=3, inner_steps=5)),
    "projected-gradient-numbers": (
        "projected-gradient",
        "box-quadratic",
        tw.ProjectedGradient(2, 0.3, max_step=3.0, search=tw.line_search.Backtracking(0.3, 0.6)),
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
    "reduce-on-plateau-numbers": (
        "reduce-on-plateau",
        "quadratic",
        tw.ReduceOnPlateau(tw.SGD(0.3), 0.3, 1, 0.4, every=2, cooldown=1, min_scale=0.1),
    ),
    "reduce-on-plateau-each-step": ("reduce-on-plateau", "quadratic", tw.ReduceOnPlateau(tw.SGD(2.1), 0.3, 2)),
    "reactive-grows": ("reactive", "quadratic", tw.Reactive(tw.SGD(1e-3), every=2, barely=0.1, cooldown=1)),
    "reactive-grows-and-spikes": (
        "reactive",
        "quadratic",
        tw.Reactive(tw.SGD(0.1), 0.4, 90.0, 1.5, 0.9, every=1, cooldown=0, min_scale=0.5),
    ),
    "reactive-shrinks": ("reactive", "quadratic", tw.Reactive(tw.SGD(4.0), every=1)),
    "fista-numbers": ("fista", "lasso", tw.FISTA(8.0, decrease=0.7, growth=1.5)),
}
CASES = EXAMPLES | OTHERS
TRUSTING = {name: 3 for name, row in tw.METHODS.items() if row.family in ("trust_region", "least_squares")}
DIFFERENT = TRUSTING | {"adopt": STEPS, "soap": STEPS, "accumulate": 1 + STEPS // 2}
DIFFERENT |= {"lbfgsb": 5, "newton": 2, "saddle-free-newton": 2, "newton-cg": 5, "conjugate-gradient": 9}
"""Points at least where a method may stay: a trust region may refuse a step, and ends after a few on a quadratic, as
Newton's method does after one; ADOPT and SOAP only remember their first gradient; accumulation saves two up. All others
move at every step."""
DETERMINED = 4
"""Points compared at least, or up to the minimum."""
AMPLIFIED = 1e2
"""A method may be off by so many times what its twin is off when its oracle is off by one rounding."""

pytestmark = pytest.mark.skipif(not X64, reason="rounding in float32 hides a wrong formula")


@functools.cache
def posed(name: str) -> tuple[Known, Callable]:
    """A problem of the zoo and its value and gradient, the same ones every time: their programs are compiled once."""
    known = ZOO[name]()
    return known, jax.jit(lambda x: known.problem.objective.value_and_grad(x))


def oracles(problem: tw.Problem, solver: tw.Solver, compiled: Callable):
    """`value_and_grad`, and what else a twin may ask for by name, in NumPy."""
    n = problem.objective.examples
    one = jax.jit(lambda i, x: problem.objective.at(i[None]).value_and_grad(x)[1])
    product = jax.jit(lambda x, v: problem.objective.hvp(x, v))

    def value_and_grad(x):
        value, grad = compiled(x)
        return float(value), np.array(grad)

    second = jax.jit(lambda i, x: jax.hessian(problem.objective.at(i[None]).value)(x))

    def term(i, x):
        return np.asarray(one(i, x))

    def curved(i, x):
        return np.asarray(second(np.asarray(i, np.int32), x))

    def draws(t):
        """As `iterates` hands out the solver's keys."""
        key = jax.random.split(jax.random.fold_in(jax.random.key(0), t))[1]
        drawing = solver.direction if isinstance(solver, tw.Descent) else solver
        return np.asarray(drawing.draw(key, n))

    term.n = curved.n = n
    return value_and_grad, {
        "term": term,
        "curved": curved,
        "draws": draws,
        "prox": lambda x, s: np.asarray(problem.prox(x, jax.numpy.asarray(s))),
        "hvp": lambda x, v: np.asarray(product(x, v)),
        "constraints": constraint_oracle(problem),
        "residuals": residual_oracle(problem),
    }


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


@pytest.mark.parametrize(("name", "problem", "method"), CASES.values(), ids=CASES)
def test_ten_steps_beside_the_twin(name, problem, method):
    row, (known, compiled) = tw.METHODS[name], posed(problem)
    twin = importlib.import_module(row.twin)
    solver = tw.FirstOrder(method) if isinstance(method, tw.Rule) else method
    value_and_grad, others = oracles(known.problem, solver, compiled)
    asked = inspect.signature(twin.run).parameters
    hyper = numbers(method) | {name: oracle for name, oracle in others.items() if name in asked}
    x0 = np.asarray(known.x0, float) + 0.25  # off the symmetric starts, so that no two entries share a path

    def run(oracle):
        return twin.run(oracle, x0, STEPS, **hyper)

    expected = run(value_and_grad)
    got = iterates(known.problem, solver, x0, STEPS)
    assert len({x.tobytes() for x in expected}) >= DIFFERENT.get(name, STEPS + 1), "the twin must move"
    allowed = AMPLIFIED * spreads(run, value_and_grad, expected)
    for t, (x, y, amplified) in enumerate(zip(got, expected, allowed, strict=False)):
        if np.abs(value_and_grad(y)[1]).max() < 1e-9 or (t >= DETERMINED and amplified > 1e-6 * np.abs(y).max()):
            break  # at the minimum, or so far on that rounding decides
        # An entry that fell by twelve digits keeps the rounding of those that it came through.
        atol = max(1e-12 * np.abs(y).max(), 1e-16 * np.abs(x0).max(), amplified)
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=atol, err_msg=f"x_{t}")
