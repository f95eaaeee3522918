"""Parameter-free rules: each estimates its own learning rate."""
