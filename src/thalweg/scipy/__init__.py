"""SciPy's `minimize` and `least_squares` with the methods of this library: a script changes one import.

SciPy is used only for its `OptimizeResult`, and only if it is installed.
"""

from thalweg.scipy.least_squares import least_squares
from thalweg.scipy.minimize import minimize

__all__ = ["least_squares", "minimize"]
