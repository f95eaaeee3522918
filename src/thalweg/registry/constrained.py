"""Constrained: sets, equalities and inequalities."""

from thalweg.registry.method import Method

ROWS: tuple[Method, ...] = ()
