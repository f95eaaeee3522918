"""Rules that scale every coordinate by what they have seen of its gradients."""

from thalweg.registry.method import Method

ROWS: tuple[Method, ...] = ()
