"""A direction and a line search."""
