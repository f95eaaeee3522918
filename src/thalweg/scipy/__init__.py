"""SciPy's `minimize` and `least_squares` by the methods of this library: change one import.

SciPy itself is imported only where it is installed, for its `OptimizeResult`.
"""

from thalweg.scipy.least_squares import least_squares
from thalweg.scipy.minimize import minimize

__all__ = ["least_squares", "minimize"]
