"""Rules around a rule."""

from thalweg.registry.method import Linear, Method, Neighbourhood
from thalweg.registry.rules import MOMENTA, RATES
from thalweg.rules.adam import Adam
from thalweg.rules.momentum import Momentum
from thalweg.rules.sgd import SGD
from thalweg.rules.wrappers.accumulate import Accumulate
from thalweg.rules.wrappers.cautious import Cautious
from thalweg.rules.wrappers.centralize import Centralize
from thalweg.rules.wrappers.clip import AdaptiveClip, Clip
from thalweg.rules.wrappers.compact import CompactState
from thalweg.rules.wrappers.lookahead import Lookahead
from thalweg.rules.wrappers.mars import MARS
from thalweg.rules.wrappers.master import MasterCopy
from thalweg.rules.wrappers.noise import GradientNoise
from thalweg.rules.wrappers.plateau import ReduceOnPlateau
from thalweg.rules.wrappers.reactive import Reactive
from thalweg.rules.wrappers.skip import SkipNonfinite
from thalweg.rules.wrappers.weight_decay import WeightDecay

MASKED = {"quadratic": (1.0, 0.8), "least-squares": MOMENTA["least-squares"]}
"""Rate and beta where masked momentum is measured: those of least error without a mask make it diverge."""

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
        name="centralize",
        make=Centralize,
        family="wrappers",
        # Vectors pass as they are: this is gradient descent.
        example=lambda problem: Centralize(SGD(RATES.get(problem, 0.1)), "first"),
        solves=("quadratic", "least-squares"),
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.centralize",
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
    Method(
        name="reduce-on-plateau",
        make=ReduceOnPlateau,
        family="wrappers",
        # Any improvement counts: close to a minimum above 0 the gradient falls long after the loss is at rest.
        example=lambda problem: ReduceOnPlateau(SGD(RATES.get(problem, 0.1)), 0.5, relative=1e-12, every=10),
        solves=("quadratic", "least-squares"),
        # The value falls by 2 % a step: gradient descent, never slowed down.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.reduce_on_plateau",
        reference="He, Zhang, Ren & Sun 2016, arXiv:1512.03385",
        year=2016,
    ),
    Method(
        name="reactive",
        make=Reactive,
        family="wrappers",
        example=lambda problem: Reactive(SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        twin="tests.twins.reactive",
        reference="Bengio 2012, arXiv:1206.5533",
        year=2012,
    ),
    Method(
        name="compact-state",
        make=CompactState,
        family="wrappers",
        # To nearest, so that the same steps are made with random keys and without.
        example=lambda problem: CompactState(Momentum(RATES.get(problem, 0.05), 0.5), rounding="nearest"),
        solves=("quadratic", "least-squares"),
        # Rounding what fades does not stop it: with half of the memory kept, faster than gradient descent.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule, in 2 bytes or 1 an entry",
        twin="tests.twins.compact_state",
        reference="Dettmers, Lewis, Shleifer & Zettlemoyer 2022, arXiv:2110.02861",
        year=2022,
    ),
    Method(
        name="master-copy",
        make=MasterCopy,
        family="wrappers",
        example=lambda problem: MasterCopy(SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule, and n for narrow variables",
        twin="tests.twins.master_copy",
        reference="Micikevicius et al. 2018, arXiv:1710.03740",
        year=2018,
    ),
)
