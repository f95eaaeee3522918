"""Blackbox: values only."""

from thalweg.registry.method import Method

ROWS: tuple[Method, ...] = ()
