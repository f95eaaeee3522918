"""The zoo: problems with known answers, and data sets."""

from collections.abc import Callable
from typing import Any

from thalweg.problems.digits import Job, digits
from thalweg.problems.hock_schittkowski import hs6, hs7, hs21, hs28, hs35, hs48, hs71
from thalweg.problems.known import Known
from thalweg.problems.zoo import (
    ZOO,
    beale,
    box_quadratic,
    equality_quadratic,
    himmelblau,
    lasso,
    least_squares,
    logistic,
    mixture,
    partition,
    quadratic,
    rastrigin,
    rosenbrock,
    simplex_least_squares,
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
    "box_quadratic",
    "digits",
    "equality_quadratic",
    "himmelblau",
    "hs6",
    "hs7",
    "hs21",
    "hs28",
    "hs35",
    "hs48",
    "hs71",
    "lasso",
    "least_squares",
    "logistic",
    "mixture",
    "partition",
    "quadratic",
    "rastrigin",
    "rosenbrock",
    "simplex_least_squares",
    "tour",
]
