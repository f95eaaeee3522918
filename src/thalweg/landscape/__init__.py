"""What is true at a point."""
