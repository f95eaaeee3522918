"""Sets and constraints."""
