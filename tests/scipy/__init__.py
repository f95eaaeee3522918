"""The front for users of SciPy."""
