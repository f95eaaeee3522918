"""The 35 test problems of Moré, Garbow & Hillstrom 1981, doi:10.1145/355934.355936, each a sum of squares.

The numbers are the paper's. Its objective is the sum of the squares of the residuals; the value of `LeastSquares` is
half of that. Minima published with six digits stand here with more, from solutions by SciPy.
"""

from collections.abc import Callable

from thalweg.problems.more_garbow_hillstrom import fixed, variable
from thalweg.problems.more_garbow_hillstrom.sums import SumOfSquares

MGH: dict[str, Callable[[], SumOfSquares]] = {
    "mgh-rosenbrock": fixed.rosenbrock,
    "mgh-freudenstein-roth": fixed.freudenstein_roth,
    "mgh-powell-badly-scaled": fixed.powell_badly_scaled,
    "mgh-brown-badly-scaled": fixed.brown_badly_scaled,
    "mgh-beale": fixed.beale,
    "mgh-jennrich-sampson": fixed.jennrich_sampson,
    "mgh-helical-valley": fixed.helical_valley,
    "mgh-bard": fixed.bard,
    "mgh-gaussian": fixed.gaussian,
    "mgh-meyer": fixed.meyer,
    "mgh-gulf": fixed.gulf,
    "mgh-box": fixed.box,
    "mgh-powell-singular": fixed.powell_singular,
    "mgh-wood": fixed.wood,
    "mgh-kowalik-osborne": fixed.kowalik_osborne,
    "mgh-brown-dennis": fixed.brown_dennis,
    "mgh-osborne-1": fixed.osborne_1,
    "mgh-biggs": fixed.biggs,
    "mgh-osborne-2": fixed.osborne_2,
    "mgh-watson": variable.watson,
    "mgh-extended-rosenbrock": variable.extended_rosenbrock,
    "mgh-extended-powell": variable.extended_powell,
    "mgh-penalty-1": variable.penalty_1,
    "mgh-penalty-2": variable.penalty_2,
    "mgh-variably-dimensioned": variable.variably_dimensioned,
    "mgh-trigonometric": variable.trigonometric,
    "mgh-brown-almost-linear": variable.brown_almost_linear,
    "mgh-discrete-boundary-value": variable.discrete_boundary_value,
    "mgh-discrete-integral": variable.discrete_integral,
    "mgh-broyden-tridiagonal": variable.broyden_tridiagonal,
    "mgh-broyden-banded": variable.broyden_banded,
    "mgh-linear-full-rank": variable.linear_full_rank,
    "mgh-linear-rank-1": variable.linear_rank_1,
    "mgh-linear-rank-1-zeros": variable.linear_rank_1_zeros,
    "mgh-chebyquad": variable.chebyquad,
}
"""Name on the command line -> problem, in the paper's order."""

__all__ = ["MGH", "SumOfSquares"]
