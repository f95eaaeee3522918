"""Rules that treat a matrix as a matrix."""

from thalweg.registry.method import Method

ROWS: tuple[Method, ...] = ()
