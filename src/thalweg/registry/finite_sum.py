"""Finite sum: gradients of reduced variance."""

from thalweg.registry.method import Method

ROWS: tuple[Method, ...] = ()
