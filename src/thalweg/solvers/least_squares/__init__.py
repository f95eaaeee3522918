"""Residuals, and the curvature that their Jacobian knows."""
