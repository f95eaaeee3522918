"""Trust region: a model and a radius."""

from thalweg.registry.method import Method

ROWS: tuple[Method, ...] = ()
