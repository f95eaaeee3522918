"""Adaptive rules: each scales every coordinate by the size of its past gradients."""
