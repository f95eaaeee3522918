"""The zoo: test problems with known solutions, and data sets."""

from collections.abc import Callable
from typing import Any

from thalweg.problems.bounded import hs1, hs2, hs3, hs4, hs5, hs25, hs38, hs45, hs110
from thalweg.problems.digits import Job, digits
from thalweg.problems.hock_schittkowski import hs6, hs7, hs21, hs28, hs35, hs48, hs71
from thalweg.problems.known import Critical, Known
from thalweg.problems.more_garbow_hillstrom import MGH, SumOfSquares
from thalweg.problems.residuals import bard, beale_residuals
from thalweg.problems.surfaces import (
    SURFACES,
    bowl,
    cubic,
    ellipse,
    monkey_saddle,
    plane,
    quartic,
    saddle,
    waves,
)
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

JOBS: dict[str, Callable[[], Any]] = {"digits": digits, **ZOO, **SURFACES, **MGH}
"""Name on the command line -> a function that returns an object with `problem` and `x0`."""

__all__ = [
    "JOBS",
    "MGH",
    "SURFACES",
    "ZOO",
    "Critical",
    "Job",
    "Known",
    "SumOfSquares",
    "bard",
    "beale",
    "beale_residuals",
    "bowl",
    "box_quadratic",
    "cubic",
    "digits",
    "ellipse",
    "equality_quadratic",
    "himmelblau",
    "hs1",
    "hs2",
    "hs3",
    "hs4",
    "hs5",
    "hs6",
    "hs7",
    "hs21",
    "hs25",
    "hs28",
    "hs35",
    "hs38",
    "hs45",
    "hs48",
    "hs71",
    "hs110",
    "lasso",
    "least_squares",
    "logistic",
    "mixture",
    "monkey_saddle",
    "partition",
    "plane",
    "quadratic",
    "quartic",
    "rastrigin",
    "rosenbrock",
    "saddle",
    "simplex_least_squares",
    "tour",
    "waves",
]
