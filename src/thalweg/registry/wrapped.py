"""Algorithms around a rule: they change its gradients, its updates, or the weights to which it returns."""

from thalweg.registry.method import Linear, Method, Neighbourhood
from thalweg.registry.rules import MOMENTA, RATES
from thalweg.rules.adam import Adam
from thalweg.rules.momentum import Momentum
from thalweg.rules.sgd import SGD
from thalweg.rules.wrappers.cautious import Cautious
from thalweg.rules.wrappers.lookahead import Lookahead
from thalweg.rules.wrappers.mars import MARS

MASKED = {"quadratic": (1.0, 0.8), "least-squares": MOMENTA["least-squares"]}
"""Rate and beta where masked momentum is measured: those of least error without a mask make it diverge."""

ROWS = (
    Method(
        name="lookahead",
        make=Lookahead,
        family="wrappers",
        example=lambda problem: Lookahead(SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        # Every fifth point is the mean of the one five steps ago and of what five steps of gradient descent make of it.
        claim=Linear(rate=((1 + (1 - 1 / 100) ** 5) / 2) ** (2 / 5), of="value", on="quadratic"),
        cost="1 gradient",
        memory="n + that of its rule",
        twin="tests.twins.lookahead",
        reference="Zhang, Lucas, Hinton & Ba 2019, arXiv:1907.08610",
        year=2019,
    ),
    Method(
        name="cautious",
        make=Cautious,
        family="wrappers",
        example=lambda problem: Cautious(Momentum(*MASKED.get(problem, (0.02, 0.8)))),
        solves=("quadratic", "least-squares"),
        # Measured: along the axes, which are the quadratic's own, the mask stops every swing back.
        claim=Linear(rate=0.76, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.cautious",
        reference="Liang, Chen, Liu & Liu 2024, arXiv:2411.16085",
        year=2024,
    ),
    Method(
        name="mars",
        make=MARS,
        family="wrappers",
        example=lambda problem: MARS(Adam(0.05, 0.95, 0.99)),
        solves=("quadratic", "least-squares"),
        # As for Adam.
        claim=Neighbourhood(radius=0.3, of="x", on="quadratic", after=60.0),
        cost="1 gradient",
        memory="n + that of its rule",
        twin="tests.twins.mars",
        reference="Yuan, Liu, Wu, Zhou & Gu 2024, arXiv:2411.10438",
        year=2024,
    ),
)
