"""The rules with which everything began, and groups of them."""

import jax

from thalweg.registry.claims import LinearRate, Neighborhood
from thalweg.registry.method import Method, Storage, Work
from thalweg.registry.space import ADAM_SPACE, ADAMW_SPACE, GRADIENT_RATE, MOMENTUM
from thalweg.rules.adam import Adam
from thalweg.rules.adamw import AdamW
from thalweg.rules.masks import matrices
from thalweg.rules.momentum import Momentum
from thalweg.rules.partition import Partition
from thalweg.rules.sgd import SGD

RATES = {"quadratic": 1.0, "least-squares": 0.4}
"""About 1/L on the problems where SGD is measured."""

_POLYAK = (4 / 1.1**2, (0.9 / 1.1) ** 2)
"""Rate and beta of least error for L = 1 and mu = 1/100, those of the quadratic: sqrt(kappa) = 10."""

MOMENTA = {"quadratic": _POLYAK, "rosenbrock": (1e-3, 0.9), "least-squares": (0.4, 0.5)}
"""Rate and beta where Momentum is measured."""

BASIC_RULES = (
    Method(
        name="sgd",
        make=SGD,
        label="SGD",
        family="rules",
        example=lambda problem: SGD(RATES.get(problem, 0.1)),
        solves=("quadratic", "least-squares"),
        # (1 - eta mu)^2 with eta = 1/L: the slowest entry's square.
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="0",
        work=Work(flops=lambda n, m: 2 * n),
        reference="Robbins & Monro 1951, doi:10.1214/aoms/1177729586",
        year=1951,
        space={"learning_rate": GRADIENT_RATE},
        rank=5,
        namesake=lambda optax, rule: optax.sgd(rule.learning_rate),
        cases={
            "beyond": ("quadratic", lambda: SGD(1.9)),
        },
    ),
    Method(
        name="momentum",
        make=Momentum,
        label="Momentum",
        family="rules",
        example=lambda problem: Momentum(*MOMENTA.get(problem, (0.02, 0.8))),
        solves=("quadratic", "rosenbrock", "least-squares"),
        # Both ends of the spectrum have a double root of modulus sqrt(beta), hence the power of t.
        claim=LinearRate(rate=_POLYAK[1], of="value", on="quadratic", power=2),
        cost="1 gradient",
        memory="n",
        work=Work(flops=lambda n, m: 4 * n),
        storage=Storage(lambda n, m: n),
        reference="Polyak 1964, doi:10.1016/0041-5553(64)90137-5",
        year=1964,
        convention="The memory sums gradients, as in PyTorch and Optax; `accumulate` has the two other scalings.",
        space={"learning_rate": GRADIENT_RATE, "beta": MOMENTUM},
        rank=3,
        namesake=lambda optax, rule: optax.sgd(rule.learning_rate, rule.beta, rule.nesterov),
        cases={
            "steps": ("rosenbrock", lambda: Momentum(1e-3, 0.8, "steps")),
            "average": ("rosenbrock", lambda: Momentum(5e-3, 0.8, "average")),
            "nesterov": ("rosenbrock", lambda: Momentum(1e-3, 0.8, nesterov=True)),
            "steps-nesterov": ("rosenbrock", lambda: Momentum(1e-3, 0.8, "steps", nesterov=True)),
            "average-nesterov": ("rosenbrock", lambda: Momentum(5e-3, 0.8, "average", nesterov=True)),
        },
    ),
    Method(
        name="adam",
        make=Adam,
        label="Adam",
        family="rules",
        example=lambda problem: Adam(0.05),
        solves=("quadratic", "rosenbrock", "least-squares"),
        # Measured: as v forgets the gradients the step grows past 2/L, and the iterate springs back, by less than eta.
        claim=Neighborhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        work=Work(flops=lambda n, m: 14 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="Kingma & Ba 2015, arXiv:1412.6980",
        year=2014,
        convention="Epsilon stands outside the root, after the correction, as in the paper.",
        space=ADAM_SPACE,
        rank=1,
        namesake=lambda optax, rule: optax.adam(rule.learning_rate, rule.b1, rule.b2, rule.eps),
        cases={
            "numbers": ("rosenbrock", lambda: Adam(0.1, b1=0.5, b2=0.9, eps=1e-2)),
        },
    ),
    Method(
        name="adamw",
        make=AdamW,
        label="AdamW",
        family="rules",
        # So little decay moves the minimum of the least squares by 2e-4; without noise the move fades, but slowly.
        example=lambda problem: AdamW(0.05, weight_decay=1e-3),
        solves=("quadratic", "least-squares"),
        # As for Adam: there the decay draws to the minimum, the origin.
        claim=Neighborhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        work=Work(flops=lambda n, m: 16 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="Loshchilov & Hutter 2019, arXiv:1711.05101",
        year=2017,
        convention="The rate multiplies the decay, as in PyTorch and Optax; the paper keeps the two apart.",
        space=ADAMW_SPACE,
        rank=2,
        namesake=lambda optax, rule: optax.adamw(
            rule.learning_rate, rule.b1, rule.b2, rule.eps, weight_decay=rule.weight_decay, mask=rule.mask
        ),
        cases={
            "numbers": ("rosenbrock", lambda: AdamW(0.1, b1=0.5, b2=0.9, eps=1e-2, weight_decay=0.7)),
            "masked": ("rosenbrock", lambda: AdamW(0.1, weight_decay=0.7, mask=matrices)),
        },
    ),
    Method(
        name="partition",
        make=Partition,
        label="Partition",
        family="rules",
        example=lambda problem: Partition({"**": SGD(RATES.get(problem, 0.1))}),
        solves=("quadratic", "least-squares"),
        # One group of gradient descent: its rate.
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rules",
        work=Work(flops=lambda n, m: 2 * n),
        reference="You, Gitman & Ginsburg 2017, arXiv:1708.03888 (a rate for each layer)",
        year=2017,
        namesake=lambda optax, rule: optax.partition(
            {pattern: optax.sgd(inner.learning_rate) for pattern, inner in zip(rule.patterns, rule.rules, strict=True)},
            lambda params: jax.tree.map(lambda leaf: rule.patterns[0], params),
        ),
        twin_of="sgd",
    ),
)
