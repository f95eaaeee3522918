"""The zoo: problems with known answers, and data sets."""

from thalweg.problems.zoo import ZOO, Known, beale, himmelblau, lasso, least_squares, quadratic, rosenbrock

__all__ = ["ZOO", "Known", "beale", "himmelblau", "lasso", "least_squares", "quadratic", "rosenbrock"]
