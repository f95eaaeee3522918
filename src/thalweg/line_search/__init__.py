"""Steps along a ray."""
