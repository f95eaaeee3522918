"""Figures: a result in, a Matplotlib figure or axes out. Needs the `plot` extra (matplotlib)."""

from thalweg.plot.history import history, metric, optimality, validation, value
from thalweg.plot.rates import learning_rate_range
from thalweg.plot.surface import contours, path

__all__ = ["contours", "history", "learning_rate_range", "metric", "optimality", "path", "validation", "value"]
