"""Solvers, one folder a family."""
