"""Penalties and sets with their proximal operators."""
