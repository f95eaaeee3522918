"""Diagnostics of a problem at a point: KKT conditions, smoothness, optimal step sizes, learning-rate range."""
