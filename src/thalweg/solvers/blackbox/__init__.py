"""Values only."""
