"""The 35 test problems of Moré, Garbow & Hillstrom 1981, doi:10.1145/355934.355936, each a sum of squares.

They are numbered as in the paper, whose objective is the sum of squared residuals; the value of `tw.LeastSquares` is
half of that. Minima that the paper gives to six digits have more digits here, from solutions by SciPy.
"""

from collections.abc import Callable

from thalweg.problems.more_garbow_hillstrom import fixed_dimension, variable_dimension
from thalweg.problems.more_garbow_hillstrom.sums import SumOfSquares

MGH: dict[str, Callable[[], SumOfSquares]] = {
    "mgh-rosenbrock": fixed_dimension.rosenbrock,
    "mgh-freudenstein-roth": fixed_dimension.freudenstein_roth,
    "mgh-powell-badly-scaled": fixed_dimension.powell_badly_scaled,
    "mgh-brown-badly-scaled": fixed_dimension.brown_badly_scaled,
    "mgh-beale": fixed_dimension.beale,
    "mgh-jennrich-sampson": fixed_dimension.jennrich_sampson,
    "mgh-helical-valley": fixed_dimension.helical_valley,
    "mgh-bard": fixed_dimension.bard,
    "mgh-gaussian": fixed_dimension.gaussian,
    "mgh-meyer": fixed_dimension.meyer,
    "mgh-gulf": fixed_dimension.gulf,
    "mgh-box": fixed_dimension.box,
    "mgh-powell-singular": fixed_dimension.powell_singular,
    "mgh-wood": fixed_dimension.wood,
    "mgh-kowalik-osborne": fixed_dimension.kowalik_osborne,
    "mgh-brown-dennis": fixed_dimension.brown_dennis,
    "mgh-osborne-1": fixed_dimension.osborne_1,
    "mgh-biggs": fixed_dimension.biggs,
    "mgh-osborne-2": fixed_dimension.osborne_2,
    "mgh-watson": variable_dimension.watson,
    "mgh-extended-rosenbrock": variable_dimension.extended_rosenbrock,
    "mgh-extended-powell": variable_dimension.extended_powell,
    "mgh-penalty-1": variable_dimension.penalty_1,
    "mgh-penalty-2": variable_dimension.penalty_2,
    "mgh-variably-dimensioned": variable_dimension.variably_dimensioned,
    "mgh-trigonometric": variable_dimension.trigonometric,
    "mgh-brown-almost-linear": variable_dimension.brown_almost_linear,
    "mgh-discrete-boundary-value": variable_dimension.discrete_boundary_value,
    "mgh-discrete-integral": variable_dimension.discrete_integral,
    "mgh-broyden-tridiagonal": variable_dimension.broyden_tridiagonal,
    "mgh-broyden-banded": variable_dimension.broyden_banded,
    "mgh-linear-full-rank": variable_dimension.linear_full_rank,
    "mgh-linear-rank-1": variable_dimension.linear_rank_1,
    "mgh-linear-rank-1-zeros": variable_dimension.linear_rank_1_zeros,
    "mgh-chebyquad": variable_dimension.chebyquad,
}
"""Name on the command line -> problem, in the paper's order."""

__all__ = ["MGH", "SumOfSquares"]
