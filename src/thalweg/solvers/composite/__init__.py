"""Smooth plus nonsmooth."""
