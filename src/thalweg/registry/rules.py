"""The rules with which everything began, and groups of them."""

from thalweg.registry.method import Linear, Method, Neighbourhood
from thalweg.rules.adam import Adam
from thalweg.rules.adamw import AdamW
from thalweg.rules.momentum import Momentum
from thalweg.rules.partition import Partition
from thalweg.rules.sgd import SGD

RATES = {"quadratic": 1.0, "least-squares": 0.4}
"""About 1/L on the problems where SGD is measured."""

POLYAK = (4 / 1.1**2, (0.9 / 1.1) ** 2)
"""Rate and beta of least error for L = 1 and mu = 1/100, those of the quadratic: sqrt(kappa) = 10."""

MOMENTA = {"quadratic": POLYAK, "rosenbrock": (1e-3, 0.9), "least-squares": (0.4, 0.5)}
"""Rate and beta where Momentum is measured."""

ROWS = (
    Method(
        name="sgd",
        make=SGD,
        family="rules",
        example=lambda problem: SGD(RATES.get(problem, 0.1)),
        solves=("quadratic", "least-squares"),
        # (1 - eta mu)^2 with eta = 1/L: the slowest entry's square.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="0",
        twin="tests.twins.sgd",
        reference="Robbins & Monro 1951, doi:10.1214/aoms/1177729586",
        year=1951,
    ),
    Method(
        name="momentum",
        make=Momentum,
        family="rules",
        example=lambda problem: Momentum(*MOMENTA.get(problem, (0.02, 0.8))),
        solves=("quadratic", "rosenbrock", "least-squares"),
        # Both ends of the spectrum have a double root of modulus sqrt(beta), hence the power of t.
        claim=Linear(rate=POLYAK[1], of="value", on="quadratic", power=2),
        cost="1 gradient",
        memory="n",
        twin="tests.twins.momentum",
        reference="Polyak 1964, doi:10.1016/0041-5553(64)90137-5",
        year=1964,
    ),
    Method(
        name="adam",
        make=Adam,
        family="rules",
        example=lambda problem: Adam(0.05),
        solves=("quadratic", "rosenbrock", "least-squares"),
        # Measured: as v forgets the gradients the step grows past 2/L, and the iterate springs back, by less than eta.
        claim=Neighbourhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        twin="tests.twins.adam",
        reference="Kingma & Ba 2015, arXiv:1412.6980",
        year=2015,
    ),
    Method(
        name="adamw",
        make=AdamW,
        family="rules",
        # So little decay moves the minimum of the least squares by 2e-4; without noise the move fades, but slowly.
        example=lambda problem: AdamW(0.05, weight_decay=1e-3),
        solves=("quadratic", "least-squares"),
        # As for Adam: there the decay draws to the minimum, the origin.
        claim=Neighbourhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        twin="tests.twins.adamw",
        reference="Loshchilov & Hutter 2019, arXiv:1711.05101",
        year=2019,
    ),
    Method(
        name="partition",
        make=Partition,
        family="rules",
        example=lambda problem: Partition({"**": SGD(RATES.get(problem, 0.1))}),
        solves=("quadratic", "least-squares"),
        # One group of gradient descent: its rate.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rules",
        twin="tests.twins.sgd",
        reference="You, Gitman & Ginsburg 2017, arXiv:1708.03888 (a rate for each layer)",
        year=2017,
    ),
)
