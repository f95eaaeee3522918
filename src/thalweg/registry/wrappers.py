"""Rules around a rule."""

from thalweg.registry.method import Linear, Method, Neighbourhood
from thalweg.registry.rules import RATES
from thalweg.rules.adam import Adam
from thalweg.rules.sgd import SGD
from thalweg.rules.wrappers.clip import AdaptiveClip, Clip
from thalweg.rules.wrappers.weight_decay import WeightDecay

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
    Method(
        name="weight-decay",
        make=WeightDecay,
        family="wrappers",
        # So little decay moves the minimum of the least squares by 2e-4, as for AdamW.
        example=lambda problem: WeightDecay(Adam(0.05), 1e-3),
        solves=("quadratic", "least-squares"),
        # As for AdamW, which this is.
        claim=Neighbourhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.weight_decay",
        reference="Loshchilov & Hutter 2019, arXiv:1711.05101",
        year=2019,
    ),
)
