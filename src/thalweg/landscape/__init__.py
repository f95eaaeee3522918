"""What is true at a point, whatever method came there.

`kkt` checks the first-order conditions of a constrained problem and estimates its `Multipliers`, `smoothness` measures
the constants of the descent lemma, `optimal_step` the best step along the negative gradient, and
`learning_rate_range` the rates at which a rule makes progress. Each returns a record of the same name.
"""

from thalweg.core.kkt import Multipliers
from thalweg.landscape.kkt import KKT, kkt
from thalweg.landscape.learning_rate_range import LearningRateRange, learning_rate_range
from thalweg.landscape.smoothness import OptimalStep, Smoothness, optimal_step, smoothness

__all__ = [
    "KKT",
    "LearningRateRange",
    "Multipliers",
    "OptimalStep",
    "Smoothness",
    "kkt",
    "learning_rate_range",
    "optimal_step",
    "smoothness",
]
