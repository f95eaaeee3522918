"""Rules that scale every coordinate by what they have seen of its gradients."""

from thalweg.registry.method import Linear, Method, Neighbourhood
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
from thalweg.schedules import Exponential

FAMILY = "adaptive rules"


def sign_rate(problem: str) -> float | Exponential:
    """Signs end no nearer to a minimum than their rate, unless that falls; the sixteenths add up to 1 exactly."""
    return Exponential(0.1, 0.99) if problem == "least-squares" else 1 / 16


ROWS = (
    Method(
        name="adagrad",
        make=AdaGrad,
        family=FAMILY,
        example=lambda problem: AdaGrad(0.5),
        solves=("quadratic", "least-squares"),
        # Every axis sees the same numbers, up to its scale: x shrinks by 1/2, 0.55, ..., and in the end 0.57 a step.
        claim=Linear(rate=1 / 3, of="value", on="quadratic"),
        cost="1 gradient",
        memory="n",
        twin="tests.twins.adagrad",
        reference="Duchi, Hazan & Singer 2011, jmlr.org/papers/v12/duchi11a.html",
        year=2011,
    ),
    Method(
        name="rmsprop",
        make=RMSProp,
        family=FAMILY,
        # The least squares are solved on the way, while a long memory still keeps the steps short.
        example=lambda problem: RMSProp(0.05, 0.99 if problem == "least-squares" else 0.9),
        solves=("quadratic", "least-squares"),
        # Measured: the first steps are three times the rate, and so are those of an axis that lay still.
        claim=Neighbourhood(radius=3.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="n (2n centered, n more with momentum)",
        twin="tests.twins.rmsprop",
        reference="Tieleman & Hinton 2012, Neural Networks for Machine Learning, lecture 6.5",
        year=2012,
    ),
    Method(
        name="adadelta",
        make=AdaDelta,
        family=FAMILY,
        # The paper's 1e-6 begins with steps of a thousandth.
        example=lambda problem: AdaDelta(1.0, eps=1e-2),
        solves=("quadratic", "least-squares"),
        # Near the minimum both roots are those of eps: gradient descent, with eta = 1/L.
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        twin="tests.twins.adadelta",
        reference="Zeiler 2012, arXiv:1212.5701",
        year=2012,
    ),
    Method(
        name="nadam",
        make=NAdam,
        family=FAMILY,
        example=lambda problem: NAdam(0.05),
        solves=("quadratic", "least-squares"),
        # Measured; it springs back as Adam does.
        claim=Neighbourhood(radius=3.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        twin="tests.twins.nadam",
        reference="Dozat 2016, openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
        year=2016,
    ),
    Method(
        name="amsgrad",
        make=AMSGrad,
        family=FAMILY,
        example=lambda problem: AMSGrad(0.05),
        solves=("quadratic", "least-squares"),
        # The divisor stays that of the first gradient, a_i: a heavy ball on axes of curvature 1, whose roots have the
        # modulus sqrt(b1).
        claim=Linear(rate=0.9, of="value", on="quadratic"),
        cost="1 gradient",
        memory="3n",
        twin="tests.twins.amsgrad",
        reference="Reddi, Kale & Kumar 2018, arXiv:1904.09237",
        year=2018,
    ),
    Method(
        name="radam",
        make=RAdam,
        family=FAMILY,
        # With 0.999 Optax's factor has two digits in float32.
        example=lambda problem: RAdam(0.05, b2=0.99),
        solves=("quadratic", "least-squares"),
        # Measured.
        claim=Neighbourhood(radius=2.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        twin="tests.twins.radam",
        reference="Liu, Jiang, He, Chen, Liu, Gao & Han 2020, arXiv:1908.03265",
        year=2020,
    ),
    Method(
        name="adan",
        make=Adan,
        family=FAMILY,
        example=lambda problem: Adan(0.05),
        solves=("quadratic", "least-squares"),
        # Measured.
        claim=Neighbourhood(radius=2.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="4n",
        twin="tests.twins.adan",
        reference="Xie, Zhou, Li, Lin & Yan 2024, arXiv:2208.06677",
        year=2022,
    ),
    Method(
        name="adopt",
        make=ADOPT,
        family=FAMILY,
        example=lambda problem: ADOPT(0.05),
        solves=("quadratic", "least-squares"),
        # Measured; the divisor is nearly that of the first gradient, as for AMSGrad.
        claim=Neighbourhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="2n",
        twin="tests.twins.adopt",
        reference="Taniguchi et al. 2024, arXiv:2411.02853",
        year=2024,
    ),
    Method(
        name="ademamix",
        make=AdEMAMix,
        family=FAMILY,
        # The paper's 0.9999 is for runs of many thousand steps.
        example=lambda problem: AdEMAMix(0.05, b3=0.99, alpha=2.0),
        solves=("quadratic", "least-squares", "rosenbrock"),
        # Measured.
        claim=Neighbourhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="3n",
        twin="tests.twins.ademamix",
        reference="Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137",
        year=2024,
    ),
    Method(
        name="lion",
        make=Lion,
        family=FAMILY,
        example=lambda problem: Lion(sign_rate(problem)),
        solves=("quadratic", "least-squares"),
        # Measured: 1 from the zoo's start, up to 1.5 from others.
        claim=Neighbourhood(radius=2.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="n",
        twin="tests.twins.lion",
        reference="Chen et al. 2023, arXiv:2302.06675",
        year=2023,
    ),
    Method(
        name="sign-sgd",
        make=SignSGD,
        family=FAMILY,
        example=lambda problem: SignSGD(sign_rate(problem)),
        solves=("quadratic", "least-squares"),
        # Once over the minimum every axis steps forth and back over it.
        claim=Neighbourhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="0 (n with beta)",
        twin="tests.twins.sign_sgd",
        reference="Bernstein, Wang, Azizzadenesheli & Anandkumar 2018, arXiv:1802.04434",
        year=2018,
    ),
)
