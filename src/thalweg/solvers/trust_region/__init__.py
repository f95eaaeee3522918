"""A model that is trusted within a radius."""
