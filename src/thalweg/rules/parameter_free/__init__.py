"""Rules that find their own learning rate."""
