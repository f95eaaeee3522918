"""One row a method. The tests, the docs tables, the command line and the suggestions are driven by these rows."""

from thalweg.core.first_order import FirstOrder
from thalweg.core.oracle import PARTS, Oracle
from thalweg.core.rule import Rule
from thalweg.core.solver import Solver, fits
from thalweg.registry.adaptive import ADAPTIVE_RULES
from thalweg.registry.blackbox import BLACKBOX_METHODS
from thalweg.registry.bounded import BOUNDED_METHODS
from thalweg.registry.claims import (
    FiniteTermination,
    LinearRate,
    Neighborhood,
    Promise,
    QuadraticRate,
    SublinearRate,
    SuccessRate,
    SuperlinearRate,
)
from thalweg.registry.composite import COMPOSITE_METHODS
from thalweg.registry.constrained import CONSTRAINED_METHODS
from thalweg.registry.descent import DESCENT_METHODS
from thalweg.registry.finite_sum import FINITE_SUM_METHODS
from thalweg.registry.first_order import FIRST_ORDER_METHODS
from thalweg.registry.latent import LATENT_METHODS
from thalweg.registry.layerwise import LAYERWISE_RULES
from thalweg.registry.least_squares import LEAST_SQUARES_METHODS
from thalweg.registry.matrix import MATRIX_RULES
from thalweg.registry.method import Checks, Method, Storage, Work
from thalweg.registry.newton import NEWTON_METHODS
from thalweg.registry.rules import BASIC_RULES
from thalweg.registry.trust_region import TRUST_REGION_METHODS
from thalweg.registry.wrappers import RULE_WRAPPERS

_ROWS = (
    *BASIC_RULES,
    *ADAPTIVE_RULES,
    *LAYERWISE_RULES,
    *MATRIX_RULES,
    *RULE_WRAPPERS,
    *FIRST_ORDER_METHODS,
    *DESCENT_METHODS,
    *BOUNDED_METHODS,
    *NEWTON_METHODS,
    *TRUST_REGION_METHODS,
    *LEAST_SQUARES_METHODS,
    *FINITE_SUM_METHODS,
    *COMPOSITE_METHODS,
    *CONSTRAINED_METHODS,
    *LATENT_METHODS,
    *BLACKBOX_METHODS,
)

METHODS: dict[str, Method] = {row.name: row for row in _ROWS}
"""Name -> row."""

WITHOUT_ROW = {
    "Sophia": "no loop estimates the Hessian's diagonal yet, so none can run it",
    "Freeze": "it leaves parameters as they are, in a group of a Partition: there is nothing to minimize with it",
    "FirstOrder": "the solver around a rule: its rows are those of the rules",
    "Descent": "any direction with any line search: its rows are the named pairs",
    "ScheduleFree": "the solver around any rule: its rows are those around SGD and AdamW",
}
"""Public rules and solvers without a row, and why; `tests/battery` knows no other."""

_DECISIVE = frozenset({Oracle.RESIDUALS, Oracle.LATENT})
"""Structure that only some methods use: those that need it come first where a problem has it."""


def fitting(offers: frozenset[Oracle]) -> list[str]:
    """The names of the methods that solve a problem with these `offers`, best first.

    First those that need the structure that it has, then those made for just the parts that it has, then by rank.
    """
    found = [(row, solver) for row in METHODS.values() if fits(solver := row.solver(), offers)]

    def place(pair: tuple[Method, Solver]) -> tuple[int, bool, int]:
        row, solver = pair
        return -len(solver.needs & offers & _DECISIVE), not solver.takes & PARTS <= offers, row.rank

    return [row.make.__name__ for row, _ in sorted(found, key=place)]


def method_name(method: Solver) -> str:
    """The name under which the user knows a solver: that of the most particular row that makes it, or of its rule."""
    if isinstance(method, FirstOrder):
        return _rule_name(method.rule)
    makers = [row for row in METHODS.values() if row.makes(method)]
    best = max(makers, key=lambda row: len(row.known_by), default=None)
    return type(method).__name__ if best is None else best.make.__name__


def _rule_name(rule: Rule) -> str:
    """A rule's name, with that of the rule inside: `Clip(AdamW)`."""
    inner = getattr(rule, "rule", None)
    return f"{type(rule).__name__}({_rule_name(inner)})" if isinstance(inner, Rule) else type(rule).__name__


__all__ = [
    "METHODS",
    "WITHOUT_ROW",
    "Checks",
    "FiniteTermination",
    "LinearRate",
    "Method",
    "Neighborhood",
    "Promise",
    "QuadraticRate",
    "Storage",
    "SublinearRate",
    "SuccessRate",
    "SuperlinearRate",
    "Work",
    "fitting",
    "method_name",
]
