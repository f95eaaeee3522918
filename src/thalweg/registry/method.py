"""One row a method: what it is, what it needs, what it promises, and where it comes from."""

from collections.abc import Callable
from typing import Any, NamedTuple

from thalweg.core.first_order import FirstOrder
from thalweg.core.rule import Rule
from thalweg.core.solver import Solver


class Linear(NamedTuple):
    """`of` falls at least like `t**power * rate**t`, in the mean, on the zoo problem `on`."""

    rate: float
    of: str
    on: str
    power: int = 0


class Sublinear(NamedTuple):
    """`of` falls at least like `1 / t**order` on the zoo problem `on`."""

    order: float
    of: str
    on: str


class Superlinear(NamedTuple):
    """The ratio of successive `of` tends to 0 on the zoo problem `on`: in the end it falls to `by` of itself a step."""

    of: str
    on: str
    by: float = 0.1


class Quadratic(NamedTuple):
    """The next `of` is at most `factor` times the square of this one, near the minimum of the zoo problem `on`."""

    factor: float
    of: str
    on: str


class Finite(NamedTuple):
    """`of` is zero up to rounding after `steps` steps on the zoo problem `on`."""

    steps: int
    of: str
    on: str


class Neighbourhood(NamedTuple):
    """With a constant rate eta the largest entry of `of - of*` stays below `radius * eta` on the zoo problem `on`.

    From step `after / eta` on: eight times as long as the way of length 1 takes at eta a step, unless said otherwise.
    """

    radius: float
    of: str
    on: str
    after: float = 8.0


class Reaches(NamedTuple):
    """The known minimum of the zoo problem `on` is found by at least the fraction `probability` of runs of `steps`."""

    probability: float
    steps: int
    on: str


def in_words(claim: Any) -> str:
    """A claim as a sentence's end."""
    if isinstance(claim, Linear) and claim.power:
        return f"{claim.of} falls like t^{claim.power} {claim.rate:.4g}^t or better on {claim.on}"
    if isinstance(claim, Linear):
        return f"{claim.of} falls by a factor {claim.rate:.4g} a step or better on {claim.on}"
    if isinstance(claim, Sublinear):
        return f"{claim.of} falls like 1/t^{claim.order:g} on {claim.on}"
    if isinstance(claim, Superlinear):
        return f"{claim.of} falls superlinearly on {claim.on}"
    if isinstance(claim, Quadratic):
        return f"the next {claim.of} is at most {claim.factor:g} times the square of the last on {claim.on}"
    if isinstance(claim, Finite):
        return f"{claim.of} is zero up to rounding after {claim.steps} steps on {claim.on}"
    if isinstance(claim, Neighbourhood):
        return f"{claim.of} ends within {claim.radius:g} times the learning rate on {claim.on}"
    if isinstance(claim, Reaches):
        return f"the minimum is found by {claim.probability:.0%} of runs of {claim.steps} steps or more on {claim.on}"
    return ""


class Method(NamedTuple):
    """A registry row.

    - `name`: on the command line. `make`: the class or function that configures it. `family`: its folder.
    - `example`: builds it with sensible hyperparameters for a zoo problem's name.
    - `solves`: zoo problems whose known minimum it reaches. `claim`: the rate, measured by the tests.
    - `cost`: work of one step; `memory`: state beyond `x` (n variables). `twin`: its naive twin in the tests.
    - `chronology`: the year of the reference.
    """

    name: str
    make: Callable[..., Any]
    family: str
    example: Callable[[str], Any]
    solves: tuple[str, ...]
    claim: Any
    cost: str
    memory: str
    twin: str
    reference: str
    year: int

    def solver(self, problem: str = "") -> Solver:
        """The example as a solver."""
        example = self.example(problem)
        return FirstOrder(example) if isinstance(example, Rule) else example

    @property
    def summary(self) -> str:
        """The first line of its documentation."""
        return (self.make.__doc__ or "").strip().splitlines()[0]
