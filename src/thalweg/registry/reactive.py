"""Rules around a rule that scale its rate by what the loss does."""

from thalweg.registry.method import Linear, Method
from thalweg.registry.rules import RATES
from thalweg.rules.sgd import SGD
from thalweg.rules.wrappers.plateau import ReduceOnPlateau
from thalweg.rules.wrappers.reactive import Reactive

ROWS = (
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
)
