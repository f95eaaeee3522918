"""Least squares: methods that know the residuals, not only their sum of squares."""

from thalweg.line_search.backtracking import Backtracking
from thalweg.registry.method import Method, Quadratic
from thalweg.solvers.least_squares.gauss_newton import GaussNewton
from thalweg.solvers.least_squares.levenberg_marquardt import LevenbergMarquardt

ROWS = (
    Method(
        name="levenberg-marquardt",
        make=LevenbergMarquardt,
        family="least_squares",
        example=lambda problem: LevenbergMarquardt(),
        solves=("beale-residuals", "bard"),
        claim=Quadratic(factor=50.0, of="optimality", on="beale-residuals"),
        cost="1 linearisation of the residuals, 1 evaluation, min(m, n) columns or rows of J, O(m n^2)",
        memory="2n, and m n inside a step",
        twin="tests.twins.levenberg_marquardt",
        reference="Levenberg 1944, doi:10.1090/qam/10666; Moré 1978, doi:10.1007/BFb0067700",
        year=1944,
    ),
    Method(
        name="gauss-newton",
        make=GaussNewton,
        family="least_squares",
        example=lambda problem: GaussNewton(Backtracking(slope=0.3)),
        solves=("beale-residuals", "bard"),
        claim=Quadratic(factor=50.0, of="optimality", on="beale-residuals"),
        cost="1 linearisation of the residuals, 1 gradient and value a trial step, min(m, n) columns or rows of J",
        memory="n, and m n inside a step",
        twin="tests.twins.gauss_newton",
        reference="Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 10.3",
        year=1809,
    ),
)
