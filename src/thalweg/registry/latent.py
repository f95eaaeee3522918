"""Latent: models with hidden variables."""

from thalweg.registry.method import Method

ROWS: tuple[Method, ...] = ()
