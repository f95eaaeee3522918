"""Rules around a rule."""

from thalweg.registry.method import Linear, Method
from thalweg.registry.rules import RATES
from thalweg.rules.sgd import SGD
from thalweg.rules.wrappers.clip import AdaptiveClip, Clip

ROWS = (
    Method(
        name="clip",
        make=Clip,
        family="wrappers",
        # From (-1.2, 1, ...) the first gradients are longer.
        example=lambda problem: Clip(SGD(RATES.get(problem, 0.1)), 1.0),
        solves=("quadratic", "least-squares"),
        # Clipped at first, then gradient descent.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.clip",
        reference="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063",
        year=2013,
    ),
    Method(
        name="adaptive-clip",
        make=AdaptiveClip,
        family="wrappers",
        example=lambda problem: AdaptiveClip(SGD(RATES.get(problem, 0.1)), 2.0, 0.5),
        solves=("quadratic", "least-squares"),
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.adaptive_clip",
        reference="Brock, De, Smith & Simonyan 2021, arXiv:2102.06171",
        year=2021,
    ),
)
