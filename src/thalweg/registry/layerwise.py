"""Rules that look at a layer as a whole, and rules that find their own rate."""

from thalweg.registry.method import Method

ROWS: tuple[Method, ...] = ()
