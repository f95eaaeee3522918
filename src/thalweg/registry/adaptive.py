"""Rules that scale every coordinate by what they have seen of its gradients."""

from thalweg.registry.claims import LinearRate, Neighborhood
from thalweg.registry.method import Checks, Method, Storage, Work
from thalweg.registry.space import (
    ADAM_SPACE,
    ADAMW_SPACE,
    ADAPTIVE_RATE,
    EPSILON,
    MOMENTUM,
    SQUARES,
    LogUniform,
    NearOne,
)
from thalweg.rules.adaptive.adadelta import AdaDelta
from thalweg.rules.adaptive.adagrad import AdaGrad
from thalweg.rules.adaptive.adan import Adan
from thalweg.rules.adaptive.ademamix import AdEMAMix
from thalweg.rules.adaptive.adopt import ADOPT
from thalweg.rules.adaptive.amsgrad import AMSGrad
from thalweg.rules.adaptive.nadam import NAdam
from thalweg.rules.adaptive.radam import RAdam
from thalweg.rules.adaptive.rmsprop import RMSProp
from thalweg.rules.adaptive.signs import Lion, SignSGD
from thalweg.rules.masks import matrices
from thalweg.schedules import Exponential

_FAMILY = "adaptive rules"


def _sign_rate(problem: str) -> float | Exponential:
    """Signs end no nearer to a minimum than their rate, unless that falls; the sixteenths add up to 1 exactly."""
    return Exponential(0.1, 0.99) if problem == "least-squares" else 1 / 16


ADAPTIVE_RULES = (
    Method(
        name="adagrad",
        make=AdaGrad,
        label="AdaGrad",
        family=_FAMILY,
        example=lambda problem: AdaGrad(0.5),
        solves=("quadratic", "least-squares"),
        # Every axis sees the same numbers, up to its scale: x shrinks by 1/2, 0.55, ..., and in the end 0.57 a step.
        claim=LinearRate(rate=1 / 3, of="value", on="quadratic"),
        cost="1 gradient",
        memory="n",
        work=Work(flops=lambda n, m: 7 * n),
        storage=Storage(lambda n, m: n),
        reference="Duchi, Hazan & Singer 2011, jmlr.org/papers/v12/duchi11a.html",
        year=2011,
        convention="Epsilon stands inside the root, as in Optax, and the sum begins at 0, as in PyTorch.",
        space={"learning_rate": LogUniform(1e-3, 10.0), "eps": EPSILON},
        namesake=lambda optax, rule: optax.adagrad(rule.learning_rate, rule.initial_accumulator, rule.eps),
        cases={
            "numbers": ("rosenbrock", lambda: AdaGrad(0.3, 1e-2, "outside", 0.1)),
        },
    ),
    Method(
        name="rmsprop",
        make=RMSProp,
        label="RMSProp",
        family=_FAMILY,
        # The least squares are solved on the way, while a long memory still keeps the steps short.
        example=lambda problem: RMSProp(0.05, 0.99 if problem == "least-squares" else 0.9),
        solves=("quadratic", "least-squares"),
        # Measured: the first steps are three times the rate, and so are those of an axis that lay still.
        claim=Neighborhood(radius=3.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="n (2n centered, n more with momentum)",
        work=Work(flops=lambda n, m: 9 * n),
        storage=Storage(lambda n, m: n),
        reference="Tieleman & Hinton 2012, Neural Networks for Machine Learning, lecture 6.5",
        year=2012,
        convention="Epsilon stands inside the root, as in Optax; PyTorch has it outside.",
        space={"learning_rate": ADAPTIVE_RATE, "beta": SQUARES, "eps": EPSILON},
        namesake=lambda optax, rule: optax.rmsprop(
            rule.learning_rate, rule.beta, rule.eps, centered=rule.centered, momentum=rule.momentum
        ),
        cases={
            "numbers": ("rosenbrock", lambda: RMSProp(0.01, 0.7, 1e-2, "outside")),
            "centered": ("rosenbrock", lambda: RMSProp(0.01, 0.7, 1e-2, centered=True)),
            "momentum": ("rosenbrock", lambda: RMSProp(0.01, 0.7, momentum=0.8)),
            "both": ("rosenbrock", lambda: RMSProp(0.01, 0.7, 1e-2, "outside", centered=True, momentum=0.8)),
        },
    ),
    Method(
        name="adadelta",
        make=AdaDelta,
        label="AdaDelta",
        family=_FAMILY,
        # The paper's 1e-6 begins with steps of a thousandth.
        example=lambda problem: AdaDelta(1.0, eps=1e-2),
        solves=("quadratic", "least-squares"),
        # Near the minimum both roots are those of eps: gradient descent, with eta = 1/L.
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        work=Work(flops=lambda n, m: 16 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="Zeiler 2012, arXiv:1212.5701",
        year=2012,
        convention="Epsilon stands inside both roots, and beta is the paper's 0.95; Optax and PyTorch have 0.9.",
        space={"learning_rate": LogUniform(0.1, 10.0), "beta": SQUARES, "eps": LogUniform(1e-8, 1e-2)},
        namesake=lambda optax, rule: optax.adadelta(rule.learning_rate, rule.beta, rule.eps),
        cases={
            "numbers": ("rosenbrock", lambda: AdaDelta(0.5, 0.8, 1e-2, "outside")),
        },
    ),
    Method(
        name="nadam",
        make=NAdam,
        label="NAdam",
        family=_FAMILY,
        example=lambda problem: NAdam(0.05),
        solves=("quadratic", "least-squares"),
        # Measured; it springs back as Adam does.
        claim=Neighborhood(radius=3.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        work=Work(flops=lambda n, m: 18 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="Dozat 2016, openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
        year=2016,
        convention="The momentum's weight is constant, as in Optax; PyTorch lets it rise.",
        space=ADAM_SPACE,
        namesake=lambda optax, rule: optax.nadam(rule.learning_rate, rule.b1, rule.b2, rule.eps),
        cases={
            "numbers": ("rosenbrock", lambda: NAdam(0.1, 0.5, 0.9, 1e-2)),
        },
    ),
    Method(
        name="amsgrad",
        make=AMSGrad,
        label="AMSGrad",
        family=_FAMILY,
        example=lambda problem: AMSGrad(0.05),
        solves=("quadratic", "least-squares"),
        # The divisor stays that of the first gradient, a_i: a heavy ball on axes of curvature 1, whose roots have the
        # modulus sqrt(b1).
        claim=LinearRate(rate=0.9, of="value", on="quadratic"),
        cost="1 gradient",
        memory="3n",
        work=Work(flops=lambda n, m: 15 * n),
        storage=Storage(lambda n, m: 3 * n),
        reference="Reddi, Kale & Kumar 2018, arXiv:1904.09237",
        year=2018,
        convention="The maximum is of corrected means, as in Optax; PyTorch corrects the maximum, the paper nothing.",
        space=ADAM_SPACE,
        namesake=lambda optax, rule: optax.amsgrad(rule.learning_rate, rule.b1, rule.b2, rule.eps),
        cases={
            "numbers": ("rosenbrock", lambda: AMSGrad(0.1, 0.5, 0.6, 1e-2)),
        },
    ),
    Method(
        name="radam",
        make=RAdam,
        label="RAdam",
        family=_FAMILY,
        # With 0.999 Optax's factor has two digits in float32.
        example=lambda problem: RAdam(0.05, b2=0.99),
        solves=("quadratic", "least-squares"),
        # Measured.
        claim=Neighborhood(radius=2.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        work=Work(flops=lambda n, m: 16 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="Liu, Jiang, He, Chen, Liu, Gao & Han 2020, arXiv:1908.03265",
        year=2019,
        convention="The root is trusted from 5 on, as in the authors' code, Optax and PyTorch; the paper says 4.",
        space=ADAM_SPACE,
        namesake=lambda optax, rule: optax.radam(
            rule.learning_rate, rule.b1, rule.b2, rule.eps, threshold=rule.threshold
        ),
        cases={
            "numbers": ("rosenbrock", lambda: RAdam(1e-3, 0.5, 0.9, 1e-2, 4.5)),
            "defaults": ("rosenbrock", lambda: RAdam(1e-4)),
        },
    ),
    Method(
        name="adan",
        make=Adan,
        label="Adan",
        family=_FAMILY,
        example=lambda problem: Adan(0.05),
        solves=("quadratic", "least-squares"),
        # Measured.
        claim=Neighborhood(radius=2.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="4n",
        work=Work(flops=lambda n, m: 27 * n),
        storage=Storage(lambda n, m: 4 * n),
        reference="Xie, Zhou, Li, Lin & Yan 2024, arXiv:2208.06677",
        year=2022,
        convention="The betas are what is kept, as in the authors' code; the paper's are one minus them.",
        space={**ADAMW_SPACE, "b2": MOMENTUM, "b3": SQUARES},
        namesake="pytorch_optimizer; Optax weighs the differences otherwise",
        cases={
            "numbers": ("rosenbrock", lambda: Adan(0.1, 0.5, 0.7, 0.9, 1e-2, weight_decay=0.7)),
            "masked": ("rosenbrock", lambda: Adan(0.1, weight_decay=0.7, mask=matrices)),
        },
    ),
    Method(
        name="adopt",
        make=ADOPT,
        label="ADOPT",
        family=_FAMILY,
        example=lambda problem: ADOPT(0.05),
        solves=("quadratic", "least-squares"),
        # Measured; the divisor is nearly that of the first gradient, as for AMSGrad.
        claim=Neighborhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        work=Work(flops=lambda n, m: 16 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="Taniguchi et al. 2024, arXiv:2411.02853",
        year=2024,
        convention="Entries are clipped by t^(1/4), as the authors recommend; `clip=False` is their first algorithm.",
        space=ADAMW_SPACE,
        namesake=lambda optax, rule: optax.contrib.adopt(
            rule.learning_rate, rule.b1, rule.b2, rule.eps, use_clipping=rule.clip
        ),
        cases={
            "numbers": ("rosenbrock", lambda: ADOPT(0.1, 0.5, 0.6, 1e-2, clip=False, weight_decay=0.7)),
            "masked": ("rosenbrock", lambda: ADOPT(0.1, weight_decay=0.7, mask=matrices)),
        },
        checks=Checks(points=10, why="its first step only remembers the gradient"),
    ),
    Method(
        name="ademamix",
        make=AdEMAMix,
        label="AdEMAMix",
        family=_FAMILY,
        # The paper's 0.9999 is for runs of many thousand steps.
        example=lambda problem: AdEMAMix(0.05, b3=0.99, alpha=2.0),
        solves=("quadratic", "least-squares", "rosenbrock"),
        # Measured.
        claim=Neighborhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="3n",
        work=Work(flops=lambda n, m: 21 * n),
        storage=Storage(lambda n, m: 3 * n),
        reference="Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137",
        year=2024,
        space={**ADAMW_SPACE, "b3": NearOne(0.99, 0.9999), "alpha": LogUniform(1.0, 10.0)},
        namesake=lambda optax, rule: optax.contrib.ademamix(
            rule.learning_rate, rule.b1, rule.b2, rule.b3, rule.alpha, rule.eps, weight_decay=rule.weight_decay
        ),
        cases={
            "numbers": ("rosenbrock", lambda: AdEMAMix(0.1, 0.5, 0.9, 0.95, 3.0, 1e-2, weight_decay=0.7)),
            "warmup": ("rosenbrock", lambda: AdEMAMix(0.1, 0.5, weight_decay=0.7, mask=matrices, warmup=7)),
        },
    ),
    Method(
        name="lion",
        make=Lion,
        label="Lion",
        family=_FAMILY,
        example=lambda problem: Lion(_sign_rate(problem)),
        solves=("quadratic", "least-squares"),
        # Measured: 1 from the zoo's start, up to 1.5 from others.
        claim=Neighborhood(radius=2.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="n",
        work=Work(flops=lambda n, m: 11 * n),
        storage=Storage(lambda n, m: n),
        reference="Chen et al. 2023, arXiv:2302.06675",
        year=2023,
        convention="No decay unless asked for; Optax begins with 1e-3.",
        space={
            "learning_rate": LogUniform(1e-6, 0.1),
            "b1": MOMENTUM,
            "b2": NearOne(0.9, 0.999),
            "weight_decay": LogUniform(1e-4, 10.0),
        },
        namesake=lambda optax, rule: optax.lion(rule.learning_rate, rule.b1, rule.b2, weight_decay=rule.weight_decay),
        cases={
            "numbers": ("rosenbrock", lambda: Lion(0.1, 0.5, 0.6, weight_decay=0.7)),
            "masked": ("rosenbrock", lambda: Lion(0.01, weight_decay=0.7, mask=matrices)),
        },
    ),
    Method(
        name="sign-sgd",
        make=SignSGD,
        label="signSGD",
        family=_FAMILY,
        example=lambda problem: SignSGD(_sign_rate(problem)),
        solves=("quadratic", "least-squares"),
        # Once over the minimum every axis steps forth and back over it.
        claim=Neighborhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="0 (n with beta)",
        work=Work(flops=lambda n, m: 3 * n),
        reference="Bernstein, Wang, Azizzadenesheli & Anandkumar 2018, arXiv:1802.04434",
        year=2018,
        space={"learning_rate": ADAPTIVE_RATE},
        namesake=lambda optax, rule: optax.sign_sgd(rule.learning_rate),
        cases={
            "momentum": ("rosenbrock", lambda: SignSGD(0.01, 0.7)),
        },
    ),
)
