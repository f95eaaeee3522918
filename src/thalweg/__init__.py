"""Thalweg: one loop for every optimization method of machine learning, and an account of why a run went as it went."""

import importlib
from typing import TYPE_CHECKING, Any

# The problem
from thalweg.core.batches import Batches
from thalweg.core.bounds import Bounds
from thalweg.core.objective import LatentModel, LeastSquares, Objective
from thalweg.core.problem import Problem
from thalweg.core.nonsmooth import Nonsmooth
from thalweg.nonsmooth.norms import L1
from thalweg.nonsmooth.sets import L2Ball, Simplex
from thalweg.core.oracle import Oracle
from thalweg.core.stream import Stream

# The two verbs, and what they return
from thalweg.minimize import minimize
from thalweg.batch import minimize_batch
from thalweg.solution import solution
from thalweg.suggest import suggest
from thalweg.core.iterate import Carry, iterate, start
from thalweg.core.optimality import optimality
from thalweg.core.status import Status
from thalweg.core.trace import Trace
from thalweg.core.variables import split
from thalweg.run.result import MinimizeError, MinimizeWarning, Result
from thalweg.run.many.batch_result import BatchResult
from thalweg.core.average import EMA, SWA, Average, PolyakRuppert

# Rules and schedules
from thalweg.core.first_order import FirstOrder
from thalweg.core.rule import Rule
from thalweg.rules.adam import Adam
from thalweg.rules.adamw import AdamW
from thalweg.rules.adaptive.adadelta import AdaDelta
from thalweg.rules.adaptive.adagrad import AdaGrad
from thalweg.rules.adaptive.adan import Adan
from thalweg.rules.adaptive.ademamix import AdEMAMix
from thalweg.rules.adaptive.adopt import ADOPT
from thalweg.rules.adaptive.amsgrad import AMSGrad
from thalweg.rules.adaptive.nadam import NAdam
from thalweg.rules.adaptive.radam import RAdam
from thalweg.rules.adaptive.rmsprop import RMSProp
from thalweg.rules.adaptive.signs import Lion, SignSGD
from thalweg.rules.adaptive.sophia import Sophia
from thalweg.rules.describe import Description, describe
from thalweg.rules.freeze import Freeze
from thalweg.rules.layerwise.adafactor import Adafactor
from thalweg.rules.layerwise.adam_mini import AdamMini
from thalweg.rules.layerwise.lamb import LAMB
from thalweg.rules.layerwise.lars import LARS
from thalweg.rules.masks import matrices
from thalweg.rules.matrix.muon import Muon
from thalweg.rules.matrix.shampoo import Shampoo
from thalweg.rules.matrix.soap import SOAP
from thalweg.rules.momentum import Momentum
from thalweg.rules.parameter_free.dadapt_adam import DAdaptAdam
from thalweg.rules.parameter_free.prodigy import Prodigy
from thalweg.rules.partition import Partition
from thalweg.rules.sgd import SGD
from thalweg.rules.wrappers.accumulate import Accumulate
from thalweg.rules.wrappers.centralize import Centralize
from thalweg.rules.wrappers.clip import AdaptiveClip, Clip
from thalweg.rules.wrappers.noise import GradientNoise
from thalweg.rules.wrappers.skip import SkipNonfinite
from thalweg.rules.wrappers.cautious import Cautious
from thalweg.rules.wrappers.lookahead import Lookahead
from thalweg.rules.wrappers.mars import MARS
from thalweg.rules.wrappers.compact import CompactState
from thalweg.rules.wrappers.master import MasterCopy
from thalweg.rules.wrappers.weight_decay import WeightDecay
from thalweg.schedules import Constant, Cosine, Exponential, Linear, Schedule, StepDecay, WarmupCosine
from thalweg.rules.wrappers.plateau import ReduceOnPlateau
from thalweg.rules.wrappers.reactive import Reactive
from thalweg.schedules import CosineRestarts, Cyclical, InverseSqrt, InverseTime
from thalweg.schedules import Join, OneCycle, OneCycleMomentum, Piecewise, Polynomial, Scaled
from thalweg.schedules import Warmup, WSD, RobbinsMonro, robbins_monro

# Solvers, directions and line searches
from thalweg.core.solver import Solver
from thalweg.line_search.backtracking import Backtracking
from thalweg.line_search.barzilai_borwein import BarzilaiBorwein
from thalweg.line_search.exact import ExactSearch
from thalweg.line_search.fixed import FixedStep
from thalweg.line_search.hager_zhang import HagerZhang
from thalweg.line_search.inverse_lipschitz import InverseLipschitz
from thalweg.line_search.polyak import PolyakStep
from thalweg.line_search.protocol import Found, LineSearch, Phi, Ray
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.blackbox.annealing import SimulatedAnnealing
from thalweg.solvers.blackbox.moves import BitFlip, GaussianMove, Move, TwoOpt
from thalweg.solvers.composite.fista import FISTA
from thalweg.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from thalweg.solvers.constrained.projected_gradient import ProjectedGradient
from thalweg.solvers.descent.conjugate_gradient import ConjugateGradientDirection, ConjugateGradient
from thalweg.solvers.descent.descent import Descent
from thalweg.solvers.descent.direction import Direction, Heading, Taken
from thalweg.solvers.descent.bfgs import BFGS
from thalweg.solvers.descent.lbfgs import LBFGS
from thalweg.solvers.descent.lbfgsb import LBFGSB
from thalweg.solvers.descent.newton import Newton, SaddleFreeNewton
from thalweg.solvers.descent.newton_cg import NewtonCG
from thalweg.solvers.descent.preconditioned import PreconditionedLBFGS
from thalweg.solvers.descent.steepest import Steepest, SteepestDescent
from thalweg.solvers.descent.steepest import BarzilaiBorweinDescent, PolyakDescent
from thalweg.solvers.finite_sum.svrg import SVRG
from thalweg.solvers.first_order.nesterov import Nesterov
from thalweg.solvers.first_order.sam import SAM
from thalweg.solvers.first_order.schedule_free import ScheduleFree, ScheduleFreeAdamW, ScheduleFreeSGD
from thalweg.solvers.first_order.sam import ASAM
from thalweg.solvers.trust_region.cauchy import CauchyPoint, TrustCauchy
from thalweg.solvers.trust_region.cubic import CubicRegularization, CubicStep
from thalweg.solvers.trust_region.dogleg import Dogleg, TrustDogleg
from thalweg.solvers.trust_region.exact import ExactStep, TrustExact
from thalweg.solvers.trust_region.model import QuadraticModel, TaylorModel
from thalweg.solvers.trust_region.sr1 import SR1, SR1Model
from thalweg.solvers.trust_region.steihaug import SteihaugCG
from thalweg.solvers.trust_region.subproblem import Proposal, Subproblem
from thalweg.solvers.trust_region.trust_region import TrustRegion
from thalweg.solvers.least_squares.gauss_newton import GaussNewton, GaussNewtonDirection
from thalweg.solvers.least_squares.levenberg_marquardt import LevenbergMarquardt
from thalweg.solvers.least_squares.model import GaussNewtonModel
from thalweg.solvers.latent.em import EM
from thalweg.solvers.latent.gaussian_mixture import GaussianMixture, Mixture

# When to stop
from thalweg.core.stop import Epochs, Evaluations, GradNorm, Never, Patience, Seconds, StepNorm, Steps, Stop, Target
from thalweg.core.stop import ValueChange

# While it runs
from thalweg.run.observe.callbacks import Event, Every
from thalweg.run.observe.history import History
from thalweg.run.observe.progress import Progress

# What is true at a point
from thalweg.core.kkt import Multipliers
from thalweg.landscape.kkt import KKT, kkt
from thalweg.landscape.learning_rate_range import LearningRateRange, learning_rate_range
from thalweg.landscape.smoothness import OptimalStep, Smoothness, optimal_step, smoothness

# To write a method
from thalweg.core.types import Evals, Evaluation, Info, Step, make_info

# Configuration and the registry
from thalweg.core.config import change, from_config, to_config
from thalweg.registry import METHODS

if TYPE_CHECKING:
    from thalweg import losses, plot, problems

__all__ = [
    "Accumulate",
    "AdaDelta",
    "Adafactor",
    "AdaGrad",
    "Adam",
    "AdamMini",
    "AdamW",
    "Adan",
    "AdaptiveClip",
    "AdEMAMix",
    "ADOPT",
    "AMSGrad",
    "ASAM",
    "AugmentedLagrangian",
    "Average",
    "Backtracking",
    "BarzilaiBorwein",
    "BarzilaiBorweinDescent",
    "Batches",
    "BatchResult",
    "BFGS",
    "BitFlip",
    "Bounds",
    "Carry",
    "CauchyPoint",
    "Cautious",
    "Centralize",
    "change",
    "Clip",
    "CompactState",
    "ConjugateGradient",
    "ConjugateGradientDirection",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "CubicRegularization",
    "CubicStep",
    "Cyclical",
    "DAdaptAdam",
    "Descent",
    "describe",
    "Description",
    "Direction",
    "Dogleg",
    "EM",
    "EMA",
    "Epochs",
    "Evals",
    "Evaluation",
    "Evaluations",
    "Event",
    "Every",
    "ExactSearch",
    "ExactStep",
    "Exponential",
    "FirstOrder",
    "FISTA",
    "FixedStep",
    "Found",
    "Freeze",
    "from_config",
    "GaussianMixture",
    "GaussianMove",
    "GaussNewton",
    "GaussNewtonDirection",
    "GaussNewtonModel",
    "GradientNoise",
    "GradNorm",
    "HagerZhang",
    "Heading",
    "History",
    "Info",
    "InverseLipschitz",
    "InverseSqrt",
    "InverseTime",
    "iterate",
    "Join",
    "KKT",
    "kkt",
    "L1",
    "L2Ball",
    "LAMB",
    "LARS",
    "LatentModel",
    "LBFGS",
    "LBFGSB",
    "learning_rate_range",
    "LearningRateRange",
    "LeastSquares",
    "LevenbergMarquardt",
    "Linear",
    "LineSearch",
    "Lion",
    "Lookahead",
    "losses",
    "make_info",
    "MARS",
    "MasterCopy",
    "matrices",
    "METHODS",
    "minimize",
    "minimize_batch",
    "MinimizeError",
    "MinimizeWarning",
    "Mixture",
    "Momentum",
    "Move",
    "Multipliers",
    "Muon",
    "NAdam",
    "Nesterov",
    "Never",
    "Newton",
    "NewtonCG",
    "Nonsmooth",
    "Objective",
    "OneCycle",
    "OneCycleMomentum",
    "optimal_step",
    "optimality",
    "OptimalStep",
    "Oracle",
    "Partition",
    "Patience",
    "Phi",
    "Piecewise",
    "plot",
    "PolyakDescent",
    "PolyakRuppert",
    "PolyakStep",
    "Polynomial",
    "PreconditionedLBFGS",
    "Problem",
    "problems",
    "Prodigy",
    "Progress",
    "ProjectedGradient",
    "Proposal",
    "QuadraticModel",
    "RAdam",
    "Ray",
    "Reactive",
    "ReduceOnPlateau",
    "Result",
    "RMSProp",
    "robbins_monro",
    "RobbinsMonro",
    "Rule",
    "SaddleFreeNewton",
    "SAM",
    "Scaled",
    "Schedule",
    "ScheduleFree",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Seconds",
    "SGD",
    "Shampoo",
    "SignSGD",
    "Simplex",
    "SimulatedAnnealing",
    "SkipNonfinite",
    "Smoothness",
    "smoothness",
    "SOAP",
    "solution",
    "Solver",
    "Sophia",
    "split",
    "SR1",
    "SR1Model",
    "start",
    "Status",
    "Steepest",
    "SteepestDescent",
    "SteihaugCG",
    "Step",
    "StepDecay",
    "StepNorm",
    "Steps",
    "Stop",
    "Stream",
    "StrongWolfe",
    "Subproblem",
    "suggest",
    "SVRG",
    "SWA",
    "Taken",
    "Target",
    "TaylorModel",
    "to_config",
    "Trace",
    "TrustCauchy",
    "TrustDogleg",
    "TrustExact",
    "TrustRegion",
    "TwoOpt",
    "ValueChange",
    "Warmup",
    "WarmupCosine",
    "WeightDecay",
    "WSD",
]

LAZY = ("losses", "plot", "problems")
"""Modules that are imported when they are first used."""


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
