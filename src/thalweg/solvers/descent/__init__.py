"""The parts of `Descent`: a direction, along which a line search looks.

`Steepest`, `ConjugateGradientDirection` and `GaussNewtonDirection` are directions to be given a search of your choice,
as in `tw.Descent(direction, search)`. A `Direction` of your own returns a `Heading`, and learns from the step that was
`Taken`.
"""

from typing import TYPE_CHECKING

from thalweg.core.lazy import lazy

if TYPE_CHECKING:
    from thalweg.solvers.descent.conjugate_gradient import ConjugateGradientDirection as ConjugateGradientDirection
    from thalweg.solvers.descent.direction import Direction as Direction
    from thalweg.solvers.descent.direction import Heading as Heading
    from thalweg.solvers.descent.direction import Taken as Taken
    from thalweg.solvers.descent.steepest import Steepest as Steepest
    from thalweg.solvers.least_squares.gauss_newton import GaussNewtonDirection as GaussNewtonDirection
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        {
            "thalweg.solvers.descent.conjugate_gradient": "ConjugateGradientDirection",
            "thalweg.solvers.descent.direction": "Direction Heading Taken",
            "thalweg.solvers.descent.steepest": "Steepest",
            "thalweg.solvers.least_squares.gauss_newton": "GaussNewtonDirection",
        },
    )
