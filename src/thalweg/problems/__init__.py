"""The zoo: problems with known answers, and data sets."""

from collections.abc import Callable
from typing import Any

from thalweg.problems.digits import Job, digits
from thalweg.problems.zoo import (
    ZOO,
    Known,
    beale,
    himmelblau,
    lasso,
    least_squares,
    logistic,
    mixture,
    partition,
    quadratic,
    rastrigin,
    rosenbrock,
    tour,
)

JOBS: dict[str, Callable[[], Any]] = {"digits": digits, **ZOO}
"""Name on the command line -> what it runs: anything with `problem` and `x0`."""

__all__ = [
    "JOBS",
    "ZOO",
    "Job",
    "Known",
    "beale",
    "digits",
    "himmelblau",
    "lasso",
    "least_squares",
    "logistic",
    "mixture",
    "partition",
    "quadratic",
    "rastrigin",
    "rosenbrock",
    "tour",
]
