"""Figures of results with Matplotlib: `pip install "thalweg[plot]"`."""

from thalweg.plot.history import history, metric_curve, optimality_curve, validation_curve, value_curve
from thalweg.plot.profiles import data_profile, performance_profile
from thalweg.plot.range_test import range_test
from thalweg.plot.surface import contours, trajectory

__all__ = [
    "contours",
    "data_profile",
    "history",
    "metric_curve",
    "optimality_curve",
    "performance_profile",
    "range_test",
    "trajectory",
    "validation_curve",
    "value_curve",
]
