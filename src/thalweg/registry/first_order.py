"""Solvers around a rule."""

from thalweg.registry.claims import LinearRate, Neighborhood, SublinearRate
from thalweg.registry.method import Method, Storage, Work
from thalweg.registry.rules import MOMENTA, RATES
from thalweg.registry.space import ADAPTIVE_RATE, DECAY, GRADIENT_RATE, MOMENTUM, SQUARES, LogUniform, NearOne
from thalweg.rules.momentum import Momentum
from thalweg.rules.sgd import SGD
from thalweg.solvers.first_order.nesterov import Nesterov
from thalweg.solvers.first_order.sam import ASAM, SAM
from thalweg.solvers.first_order.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD

_AHEAD = MOMENTA | {"quadratic": (1.0, (10 - 1) / (10 + 1))}
"""The same for Nesterov's method: 1/L and (sqrt(kappa) - 1) / (sqrt(kappa) + 1) on the quadratic."""

FIRST_ORDER_METHODS = (
    Method(
        name="nesterov",
        make=Nesterov,
        label="Nesterov",
        family="first order",
        example=lambda problem: Nesterov(Momentum(*_AHEAD.get(problem, (0.02, 0.8)))),
        solves=("quadratic", "rosenbrock", "least-squares"),
        # For the slowest entry the two roots meet at 1 - 1 / sqrt(kappa), hence the power of t; the value is a square.
        claim=LinearRate(rate=(1 - 1 / 10) ** 2, of="value", on="quadratic", power=2),
        cost="1 gradient",
        memory="n",
        work=Work(flops=lambda n, m: 8 * n),
        storage=Storage(lambda n, m: n),
        reference="Nesterov 1983, Soviet Math. Dokl. 27; Sutskever et al. 2013",
        year=1983,
        convention="The gradient is taken at the point ahead; `Momentum(nesterov=True)` is the form with one point.",
        space={"learning_rate": GRADIENT_RATE, "beta": MOMENTUM},
        cases={
            "numbers": ("rosenbrock", lambda: Nesterov(Momentum(5e-4, 0.95))),
        },
    ),
    Method(
        name="sam",
        make=SAM,
        label="SAM",
        family="first order",
        # So small a radius that the neighborhood of the minimum is smaller than the tests' tolerance.
        example=lambda problem: SAM(SGD(RATES.get(problem, 0.1)), rho=1e-3),
        solves=("least-squares",),
        # The oscillation rho eta a / (2 - eta a) for the largest curvature a; 1 / 0.4 steps shrink the rest by e.
        claim=Neighborhood(radius=2e-3, of="x", on="least-squares", after=60.0),
        cost="2 gradients",
        memory="that of its rule",
        work=Work(value=2, gradient=2, flops=lambda n, m: 8 * n),
        reference="Foret, Kleiner, Mobahi & Neyshabur 2021, arXiv:2010.01412",
        year=2020,
        space={"learning_rate": GRADIENT_RATE, "rho": LogUniform(1e-3, 1.0)},
        cases={
            "numbers": ("rosenbrock", lambda: SAM(SGD(1e-3), rho=0.3)),
        },
    ),
    Method(
        name="asam",
        make=ASAM,
        label="ASAM",
        family="first order",
        # The same radius, now in units of the parameters.
        example=lambda problem: ASAM(SGD(RATES.get(problem, 0.1)), rho=1e-3),
        solves=("least-squares",),
        claim=Neighborhood(radius=2e-3, of="x", on="least-squares", after=60.0),
        cost="2 gradients",
        memory="that of its rule",
        work=Work(value=2, gradient=2, flops=lambda n, m: 14 * n),
        reference="Kwon, Kim, Park & Choi 2021, arXiv:2102.11600",
        year=2021,
        convention="All leaves alike; the paper's code does not scale biases.",
        known_by=("offset",),
        space={"learning_rate": GRADIENT_RATE, "rho": LogUniform(1e-2, 10.0)},
        cases={
            "numbers": ("rosenbrock", lambda: ASAM(SGD(1e-3), rho=0.3, offset=0.1)),
        },
    ),
    Method(
        name="schedule-free-sgd",
        make=ScheduleFreeSGD,
        label="Schedule-Free SGD",
        family="first order",
        example=lambda problem: ScheduleFreeSGD(RATES.get(problem, 0.1)),
        solves=("least-squares",),
        # The fast iterate converges linearly, so its average falls like 1 / t, and the value there like the square.
        claim=SublinearRate(order=2, of="value", on="least-squares"),
        cost="1 gradient",
        memory="n",
        work=Work(flops=lambda n, m: 10 * n),
        storage=Storage(lambda n, m: n),
        reference="Defazio et al. 2024, arXiv:2405.15682",
        year=2024,
        known_by=("rule",),
        space={"learning_rate": GRADIENT_RATE, "beta": NearOne(0.5, 0.99)},
        cases={
            "numbers": ("rosenbrock", lambda: ScheduleFreeSGD(2e-3, beta=0.5, power=1)),
        },
    ),
    Method(
        name="schedule-free-adamw",
        make=ScheduleFreeAdamW,
        label="Schedule-Free AdamW",
        family="first order",
        example=lambda problem: ScheduleFreeAdamW(0.1),
        solves=("quadratic", "least-squares"),
        # Measured: the average of what Adam's steps of about eta leave near the minimum.
        claim=Neighborhood(radius=0.5, of="x", on="quadratic"),
        cost="1 gradient",
        memory="3n",
        work=Work(flops=lambda n, m: 20 * n),
        storage=Storage(lambda n, m: 3 * n),
        reference="Defazio et al. 2024, arXiv:2405.15682",
        year=2024,
        known_by=("rule",),
        convention="The decay is that of the gradient's point, as in the authors' code and in Optax.",
        space={"learning_rate": ADAPTIVE_RATE, "beta": NearOne(0.5, 0.99), "b2": SQUARES, "weight_decay": DECAY},
        cases={
            "numbers": ("rosenbrock", lambda: ScheduleFreeAdamW(0.05, 0.5, 0.9, 1e-2, weight_decay=0.7, power=1)),
        },
    ),
)
