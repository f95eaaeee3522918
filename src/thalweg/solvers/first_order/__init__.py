"""Solvers around a rule that choose where the gradient is taken."""
