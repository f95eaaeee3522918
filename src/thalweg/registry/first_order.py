"""Rules."""

from thalweg.registry.method import Linear, Method, Neighbourhood
from thalweg.rules.adam import Adam
from thalweg.rules.sgd import SGD

RATES = {"quadratic": 1.0, "least-squares": 0.4}
"""About 1/L on the problems where SGD is measured."""

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
)
