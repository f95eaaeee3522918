"""Rules around a rule that decide in which precision it remembers."""

from thalweg.registry.method import Linear, Method
from thalweg.registry.rules import RATES
from thalweg.rules.momentum import Momentum
from thalweg.rules.sgd import SGD
from thalweg.rules.wrappers.compact import CompactState
from thalweg.rules.wrappers.master import MasterCopy

ROWS = (
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
