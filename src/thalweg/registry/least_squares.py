"""Least squares: methods that know the residuals, not only their sum of squares."""

from thalweg.line_search.backtracking import Backtracking
from thalweg.registry.claims import QuadraticRate
from thalweg.registry.method import TRUSTING, Checks, Method, Storage, Work
from thalweg.registry.space import RADIUS
from thalweg.solvers.least_squares.gauss_newton import GaussNewton
from thalweg.solvers.least_squares.levenberg_marquardt import LevenbergMarquardt

LEAST_SQUARES_METHODS = (
    Method(
        name="levenberg-marquardt",
        make=LevenbergMarquardt,
        label="Levenberg-Marquardt",
        family="least_squares",
        example=lambda problem: LevenbergMarquardt(),
        solves=("beale-residuals", "bard"),
        claim=QuadraticRate(factor=50.0, of="optimality", on="beale-residuals"),
        cost="1 linearization of the residuals, 1 evaluation, min(m, n) columns or rows of J, O(m n^2)",
        memory="n, and m n inside a step",
        work=Work(value=2, hvp=lambda n, m: min(m, n), flops=lambda n, m: 2 * m * n**2),
        storage=Storage(lambda n, m: n, step=lambda n, m: m * n),
        reference="Levenberg 1944, doi:10.1090/qam/10666; Moré 1978, doi:10.1007/BFb0067700",
        year=1944,
        known_by=("model",),
        space={"radius": RADIUS},
        rank=1,
        namesake="scipy.optimize.least_squares",
        cases={
            "numbers": ("bard", lambda: LevenbergMarquardt(True, 0.1, 2.0, 0.2)),
        },
        checks=TRUSTING,
    ),
    Method(
        name="gauss-newton",
        make=GaussNewton,
        label="Gauss-Newton",
        family="least_squares",
        example=lambda problem: GaussNewton(Backtracking(slope=0.3)),
        solves=("beale-residuals", "bard"),
        claim=QuadraticRate(factor=50.0, of="optimality", on="beale-residuals"),
        cost="1 linearization of the residuals, 1 gradient and value a trial step, min(m, n) columns or rows of J",
        memory="n, and m n inside a step",
        work=Work(value=2, gradient=2, hvp=lambda n, m: min(m, n), flops=lambda n, m: 2 * m * n**2),
        storage=Storage(lambda n, m: n, step=lambda n, m: m * n),
        reference="Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 10.3",
        year=1809,
        known_by=("direction",),
        rank=2,
        cases={
            "numbers": ("beale-residuals", lambda: GaussNewton(Backtracking(0.3, 0.8))),
        },
        checks=Checks(
            change=1.6,
            points=3,
            why="few steps solve a quadratic; the full step passes unless nearly all of the promised fall is demanded",
        ),
    ),
)
