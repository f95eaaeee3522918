"""What a method promises on a problem of the zoo; `tests/rates` measures every claim."""

from typing import NamedTuple


class LinearRate(NamedTuple):
    """`of` falls at least like `t**power * rate**t`, in the mean, on the zoo problem `on`."""

    rate: float
    of: str
    on: str
    power: int = 0

    @property
    def words(self) -> str:
        """The claim as the end of a sentence."""
        if self.power:
            return f"{self.of} falls like t^{self.power} {self.rate:.4g}^t or better on {self.on}"
        return f"{self.of} falls by a factor {self.rate:.4g} a step or better on {self.on}"


class SublinearRate(NamedTuple):
    """`of` falls at least like `1 / t**order` on the zoo problem `on`."""

    order: float
    of: str
    on: str

    @property
    def words(self) -> str:
        """The claim as the end of a sentence."""
        return f"{self.of} falls like 1/t^{self.order:g} on {self.on}"


class SuperlinearRate(NamedTuple):
    """The ratio of successive `of` tends to 0 on the zoo problem `on`: in the end it falls to `by` of itself a step."""

    of: str
    on: str
    by: float = 0.1

    @property
    def words(self) -> str:
        """The claim as the end of a sentence."""
        return f"{self.of} falls superlinearly on {self.on}"


class QuadraticRate(NamedTuple):
    """The next `of` is at most `factor` times the square of this one, near the minimum of the zoo problem `on`."""

    factor: float
    of: str
    on: str

    @property
    def words(self) -> str:
        """The claim as the end of a sentence."""
        return f"the next {self.of} is at most {self.factor:g} times the square of the last on {self.on}"


class FiniteTermination(NamedTuple):
    """`of` is zero up to rounding after `steps` steps on the zoo problem `on`."""

    steps: int
    of: str
    on: str

    @property
    def words(self) -> str:
        """The claim as the end of a sentence."""
        return f"{self.of} is zero up to rounding after {self.steps} steps on {self.on}"


class Neighborhood(NamedTuple):
    """With a constant rate eta the largest entry of `of - of*` stays below `radius * eta` on the zoo problem `on`.

    From step `after / eta` on: eight times as long as the way of length 1 takes at eta a step, unless said otherwise.
    """

    radius: float
    of: str
    on: str
    after: float = 8.0

    @property
    def words(self) -> str:
        """The claim as the end of a sentence."""
        return f"{self.of} ends within {self.radius:g} times the learning rate on {self.on}"


class SuccessRate(NamedTuple):
    """The known minimum of the zoo problem `on` is found by at least the fraction `probability` of runs of `steps`."""

    probability: float
    steps: int
    on: str

    @property
    def words(self) -> str:
        """The claim as the end of a sentence."""
        return f"the minimum is found by {self.probability:.0%} of runs of {self.steps} steps or more on {self.on}"


Promise = LinearRate | SublinearRate | SuperlinearRate | QuadraticRate | FiniteTermination | Neighborhood | SuccessRate
"""One promise of a registry row."""
