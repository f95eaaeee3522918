"""Means over examples, with gradients of reduced variance."""
