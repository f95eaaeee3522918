"""Figures: a result in, a Matplotlib figure or axes out. Needs the `plot` extra (matplotlib)."""

from thalweg.plot.history import history, metric, optimality, validation, value
from thalweg.plot.profiles import data_profile, performance_profile
from thalweg.plot.range_test import learning_rate_range
from thalweg.plot.surface import contours, path

__all__ = [
    "contours",
    "data_profile",
    "history",
    "learning_rate_range",
    "metric",
    "optimality",
    "path",
    "performance_profile",
    "validation",
    "value",
]
