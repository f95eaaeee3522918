"""The parts of `TrustRegion`: a model of the objective, and a way to minimize it within a radius.

`TaylorModel` has the Hessian, `SR1Model` learns one from gradients, `GaussNewtonModel` has that of linearized
residuals; a `QuadraticModel` of your own is used like them. `SteihaugCG`, `ExactStep`, `Dogleg`, `CauchyPoint` and
`CubicStep` are `Subproblem`s, which make a `Proposal`.
"""

from typing import TYPE_CHECKING

from thalweg.core.lazy import lazy

if TYPE_CHECKING:
    from thalweg.solvers.least_squares.model import GaussNewtonModel as GaussNewtonModel
    from thalweg.solvers.trust_region.cauchy import CauchyPoint as CauchyPoint
    from thalweg.solvers.trust_region.cubic import CubicStep as CubicStep
    from thalweg.solvers.trust_region.dogleg import Dogleg as Dogleg
    from thalweg.solvers.trust_region.exact import ExactStep as ExactStep
    from thalweg.solvers.trust_region.model import QuadraticModel as QuadraticModel
    from thalweg.solvers.trust_region.model import TaylorModel as TaylorModel
    from thalweg.solvers.trust_region.sr1 import SR1Model as SR1Model
    from thalweg.solvers.trust_region.steihaug import SteihaugCG as SteihaugCG
    from thalweg.solvers.trust_region.subproblem import Proposal as Proposal
    from thalweg.solvers.trust_region.subproblem import Subproblem as Subproblem
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        {
            "thalweg.solvers.least_squares.model": "GaussNewtonModel",
            "thalweg.solvers.trust_region.cauchy": "CauchyPoint",
            "thalweg.solvers.trust_region.cubic": "CubicStep",
            "thalweg.solvers.trust_region.dogleg": "Dogleg",
            "thalweg.solvers.trust_region.exact": "ExactStep",
            "thalweg.solvers.trust_region.model": "QuadraticModel TaylorModel",
            "thalweg.solvers.trust_region.sr1": "SR1Model",
            "thalweg.solvers.trust_region.steihaug": "SteihaugCG",
            "thalweg.solvers.trust_region.subproblem": "Proposal Subproblem",
        },
    )
