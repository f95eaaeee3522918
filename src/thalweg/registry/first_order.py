"""Solvers around a rule."""

from thalweg.registry.method import Linear, Method, Neighbourhood, Sublinear
from thalweg.registry.rules import MOMENTA, RATES
from thalweg.rules.momentum import Momentum
from thalweg.rules.sgd import SGD
from thalweg.solvers.first_order.nesterov import Nesterov
from thalweg.solvers.first_order.sam import ASAM, SAM
from thalweg.solvers.first_order.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD

AHEAD = MOMENTA | {"quadratic": (1.0, (10 - 1) / (10 + 1))}
"""The same for Nesterov's method: 1/L and (sqrt(kappa) - 1) / (sqrt(kappa) + 1) on the quadratic."""

ROWS = (
    Method(
        name="nesterov",
        make=Nesterov,
        family="first order",
        example=lambda problem: Nesterov(Momentum(*AHEAD.get(problem, (0.02, 0.8)))),
        solves=("quadratic", "rosenbrock", "least-squares"),
        # For the slowest entry the two roots meet at 1 - 1 / sqrt(kappa), hence the power of t; the value is a square.
        claim=Linear(rate=(1 - 1 / 10) ** 2, of="value", on="quadratic", power=2),
        cost="1 gradient",
        memory="n",
        twin="tests.twins.nesterov",
        reference="Nesterov 1983, Soviet Math. Dokl. 27; Sutskever et al. 2013",
        year=1983,
    ),
    Method(
        name="sam",
        make=SAM,
        family="first order",
        # So small a radius that the neighbourhood of the minimum is smaller than the tests' tolerance.
        example=lambda problem: SAM(SGD(RATES.get(problem, 0.1)), rho=1e-3),
        solves=("least-squares",),
        # The oscillation rho eta a / (2 - eta a) for the largest curvature a; 1 / 0.4 steps shrink the rest by e.
        claim=Neighbourhood(radius=2e-3, of="x", on="least-squares", after=60.0),
        cost="2 gradients",
        memory="that of its rule",
        twin="tests.twins.sam",
        reference="Foret, Kleiner, Mobahi & Neyshabur 2021, arXiv:2010.01412",
        year=2021,
    ),
    Method(
        name="asam",
        make=ASAM,
        family="first order",
        # The same radius, now in units of the parameters.
        example=lambda problem: ASAM(SGD(RATES.get(problem, 0.1)), rho=1e-3),
        solves=("least-squares",),
        claim=Neighbourhood(radius=2e-3, of="x", on="least-squares", after=60.0),
        cost="2 gradients",
        memory="that of its rule",
        twin="tests.twins.asam",
        reference="Kwon, Kim, Park & Choi 2021, arXiv:2102.11600",
        year=2021,
    ),
    Method(
        name="schedule-free-sgd",
        make=ScheduleFreeSGD,
        family="first order",
        example=lambda problem: ScheduleFreeSGD(RATES.get(problem, 0.1)),
        solves=("least-squares",),
        # The fast iterate converges linearly, so its average falls like 1 / t, and the value there like the square.
        claim=Sublinear(order=2, of="value", on="least-squares"),
        cost="1 gradient",
        memory="n",
        twin="tests.twins.schedule_free_sgd",
        reference="Defazio et al. 2024, arXiv:2405.15682",
        year=2024,
    ),
    Method(
        name="schedule-free-adamw",
        make=ScheduleFreeAdamW,
        family="first order",
        example=lambda problem: ScheduleFreeAdamW(0.1),
        solves=("quadratic", "least-squares"),
        # Measured: the average of what Adam's steps of about eta leave near the minimum.
        claim=Neighbourhood(radius=0.5, of="x", on="quadratic"),
        cost="1 gradient",
        memory="3n",
        twin="tests.twins.schedule_free_adamw",
        reference="Defazio et al. 2024, arXiv:2405.15682",
        year=2024,
    ),
)
