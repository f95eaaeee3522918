"""Thalweg: one loop for every optimization method of machine learning, and an account of why a run went as it went."""

from thalweg.core.bounds import Bounds
from thalweg.core.config import change, from_config, to_config
from thalweg.core.first_order import FirstOrder
from thalweg.core.iterate import Carry, iterate, start
from thalweg.core.nonsmooth import Nonsmooth
from thalweg.core.objective import LatentModel, LeastSquares, Objective
from thalweg.core.optimality import optimality
from thalweg.core.oracle import Oracle
from thalweg.core.problem import Problem
from thalweg.core.rule import Rule
from thalweg.core.solver import Solver
from thalweg.core.status import Status
from thalweg.core.stop import (
    Epochs,
    Evaluations,
    GradNorm,
    Never,
    Patience,
    Seconds,
    StepNorm,
    Steps,
    Stop,
    Target,
    ValueChange,
)
from thalweg.core.trace import Trace
from thalweg.core.types import Evals, Evaluation, Info, Step, make_info
from thalweg.core.variables import split
from thalweg.line_search.backtracking import Backtracking
from thalweg.line_search.protocol import LineSearch
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.minimize import minimize
from thalweg.nonsmooth.norms import L1
from thalweg.registry import METHODS
from thalweg.rules.adam import Adam
from thalweg.rules.sgd import SGD
from thalweg.run.callbacks import Event, Every, Progress
from thalweg.run.result import MinimizeError, MinimizeWarning, Result
from thalweg.schedules import Constant, Schedule, WarmupCosine
from thalweg.solvers.composite.fista import FISTA
from thalweg.solvers.descent.descent import Descent, Direction
from thalweg.solvers.descent.lbfgs import LBFGS
from thalweg.solvers.descent.steepest import SteepestDescent
from thalweg.suggest import suggest
