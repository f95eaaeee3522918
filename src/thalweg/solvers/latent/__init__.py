"""Models with hidden variables."""
