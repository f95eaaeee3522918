"""Where a method's hyperparameters are searched: one range a name, and the ranges that many methods share.

Every range maps a number `u` in [0, 1] to a value with `at(u)`, monotonically, so that a search needs to know nothing
but the unit interval.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Uniform(NamedTuple):
    """A real number between `low` and `high`, every length alike."""

    low: float
    high: float

    def at(self, u: float) -> float:
        """The value at the fraction `u` of the range."""
        return self.low + u * (self.high - self.low)


class LogUniform(NamedTuple):
    """A positive number between `low` and `high`, every factor alike."""

    low: float
    high: float

    def at(self, u: float) -> float:
        """The value at the fraction `u` of the range, in its logarithm."""
        return self.low ** (1 - u) * self.high**u


class NearOne(NamedTuple):
    """A number below 1, between `low` and `high`, whose distance to 1 is uniform in the logarithm."""

    low: float
    high: float

    def at(self, u: float) -> float:
        """The value at the fraction `u` of the range, in the logarithm of its distance to 1."""
        return 1 - (1 - self.low) ** (1 - u) * (1 - self.high) ** u


class WholeNumbers(NamedTuple):
    """A whole number from `low` to `high`, every factor alike. Every other value is another program."""

    low: int
    high: int

    def at(self, u: float) -> int:
        """The value nearest to the fraction `u` of the range, in its logarithm."""
        return round(self.low ** (1 - u) * self.high**u)


class OneOf(NamedTuple):
    """One of a few options. Every other one is another program."""

    options: tuple[Any, ...]

    def at(self, u: float) -> Any:
        """The option at the fraction `u` of the list."""
        return self.options[min(int(u * len(self.options)), len(self.options) - 1)]


Range = Uniform | LogUniform | NearOne | WholeNumbers | OneOf
"""The values of one hyperparameter."""

Space = Mapping[str, Range]
"""A range for each hyperparameter, by the name of its field."""

GRADIENT_RATE = LogUniform(1e-4, 10.0)
"""Rates of methods whose step goes with the gradient: about 1/L, whatever that is."""
ADAPTIVE_RATE = LogUniform(1e-5, 1.0)
"""Rates that are the length of a step in every coordinate (Kingma & Ba 2015 and all after)."""
MOMENTUM = NearOne(0.5, 0.999)
"""What is kept of a memory of gradients (Choi et al. 2019, arXiv:1910.05446, appendix)."""
SQUARES = NearOne(0.9, 0.9999)
"""What is kept of a memory of squared gradients."""
EPSILON = LogUniform(1e-10, 1e-3)
"""The number beside a root: in the range a rule goes from normalized steps to momentum (arXiv:1910.05446)."""
DECAY = LogUniform(1e-5, 1.0)
"""Decoupled weight decay, which is multiplied by the rate."""
RADIUS = LogUniform(1e-2, 10.0)
"""The first radius of a trust region in units of the point."""
PAIRS = WholeNumbers(3, 30)
"""Pairs that a limited-memory method keeps (Nocedal & Wright 2006, section 7.2: 3 to 20)."""
MOMENTS: Space = {"b1": MOMENTUM, "b2": SQUARES}
"""Adam's two memories."""
ADAM_SPACE: Space = {"learning_rate": ADAPTIVE_RATE, **MOMENTS, "eps": EPSILON}
"""What is tuned of Adam and its kin."""
ADAMW_SPACE: Space = {**ADAM_SPACE, "weight_decay": DECAY}
"""The same with decoupled weight decay."""
