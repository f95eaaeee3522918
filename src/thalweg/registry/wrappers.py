"""Rules around a rule."""

from thalweg.registry.method import Linear, Method, Neighbourhood
from thalweg.registry.rules import RATES
from thalweg.rules.adam import Adam
from thalweg.rules.momentum import Momentum
from thalweg.rules.sgd import SGD
from thalweg.rules.wrappers.accumulate import Accumulate
from thalweg.rules.wrappers.centralise import Centralise
from thalweg.rules.wrappers.clip import AdaptiveClip, Clip
from thalweg.rules.wrappers.noise import GradientNoise
from thalweg.rules.wrappers.skip import SkipNonfinite
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
        name="centralise",
        make=Centralise,
        family="wrappers",
        # Vectors pass as they are: this is gradient descent.
        example=lambda problem: Centralise(SGD(RATES.get(problem, 0.1)), "first"),
        solves=("quadratic", "least-squares"),
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.centralise",
        reference="Yong, Huang, Hua & Zhang 2020, arXiv:2004.01461",
        year=2020,
    ),
    Method(
        name="gradient-noise",
        make=GradientNoise,
        family="wrappers",
        example=lambda problem: GradientNoise(SGD(RATES.get(problem, 0.1)), 1e-6, 1.0),
        solves=("least-squares",),
        # With rate eta an entry of curvature a wanders by about sigma sqrt(eta / 2a); here 1e-3 / sqrt(t) is sigma.
        claim=Neighbourhood(radius=1e-3, of="x", on="least-squares", after=60.0),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.gradient_noise",
        reference="Neelakantan et al. 2015, arXiv:1511.06807",
        year=2015,
    ),
    Method(
        name="accumulate",
        make=Accumulate,
        family="wrappers",
        example=lambda problem: Accumulate(Momentum(RATES.get(problem, 0.1), 0.5), 2),
        solves=("quadratic", "least-squares"),
        # Momentum 0.5 doubles the rate of gradient descent, every second step is none.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="n beside that of its rule",
        twin="tests.twins.accumulate",
        reference="Goodfellow, Bengio & Courville 2016, deeplearningbook.org",
        year=2016,
    ),
    Method(
        name="skip-nonfinite",
        make=SkipNonfinite,
        family="wrappers",
        example=lambda problem: SkipNonfinite(SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        # Nothing is lost there: gradient descent.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.sgd",
        reference="Micikevicius et al. 2018, arXiv:1710.03740",
        year=2018,
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
