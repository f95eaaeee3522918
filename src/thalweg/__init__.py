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
from thalweg.suggest import suggest
from thalweg.core.iterate import Carry, iterate, start
from thalweg.core.optimality import optimality
from thalweg.core.status import Status
from thalweg.core.trace import Trace
from thalweg.core.variables import split
from thalweg.run.result import MinimizeError, MinimizeWarning, Result
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
from thalweg.rules.wrappers.centralise import Centralise
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
from thalweg.line_search.protocol import Found, LineSearch, Phi
from thalweg.line_search.strong_wolfe import StrongWolfe
from thalweg.solvers.blackbox.annealing import SimulatedAnnealing
from thalweg.solvers.blackbox.moves import BitFlip, GaussianMove, Move, TwoOpt
from thalweg.solvers.composite.fista import FISTA
from thalweg.solvers.constrained.augmented_lagrangian import AugmentedLagrangian
from thalweg.solvers.constrained.projected_gradient import ProjectedGradient
from thalweg.solvers.descent.descent import Descent, Direction
from thalweg.solvers.descent.lbfgs import LBFGS
from thalweg.solvers.descent.steepest import SteepestDescent
from thalweg.solvers.finite_sum.svrg import SVRG
from thalweg.solvers.first_order.nesterov import Nesterov
from thalweg.solvers.first_order.sam import SAM
from thalweg.solvers.first_order.schedule_free import ScheduleFree, ScheduleFreeAdamW, ScheduleFreeSGD
from thalweg.solvers.first_order.sam import ASAM
from thalweg.solvers.trust_region.steihaug import SteihaugCG
from thalweg.solvers.trust_region.subproblem import Proposal, Subproblem
from thalweg.solvers.trust_region.trust_region import TrustRegion
from thalweg.solvers.latent.em import EM
from thalweg.solvers.latent.gaussian_mixture import GaussianMixture, Mixture

# When to stop
from thalweg.core.stop import Epochs, Evaluations, GradNorm, Never, Patience, Seconds, StepNorm, Steps, Stop, Target
from thalweg.core.stop import ValueChange

# While it runs
from thalweg.run.callbacks import Event, Every
from thalweg.run.history import History
from thalweg.run.progress import Progress

# What is true at a point
from thalweg.core.kkt import Multipliers
from thalweg.landscape.kkt import KKT, kkt
from thalweg.landscape.learning_rate_range import LearningRateRange, learning_rate_range

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
    "Batches",
    "BitFlip",
    "Bounds",
    "Carry",
    "Cautious",
    "Centralise",
    "change",
    "Clip",
    "CompactState",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Cyclical",
    "DAdaptAdam",
    "Descent",
    "describe",
    "Description",
    "Direction",
    "EM",
    "EMA",
    "Epochs",
    "Evals",
    "Evaluation",
    "Evaluations",
    "Event",
    "Every",
    "Exponential",
    "FirstOrder",
    "FISTA",
    "Found",
    "Freeze",
    "from_config",
    "GaussianMixture",
    "GaussianMove",
    "GradientNoise",
    "GradNorm",
    "History",
    "Info",
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
    "learning_rate_range",
    "LearningRateRange",
    "LeastSquares",
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
    "Nonsmooth",
    "Objective",
    "OneCycle",
    "OneCycleMomentum",
    "optimality",
    "Oracle",
    "Partition",
    "Patience",
    "Phi",
    "Piecewise",
    "plot",
    "PolyakRuppert",
    "Polynomial",
    "Problem",
    "problems",
    "Prodigy",
    "Progress",
    "ProjectedGradient",
    "Proposal",
    "RAdam",
    "Reactive",
    "ReduceOnPlateau",
    "Result",
    "RMSProp",
    "robbins_monro",
    "RobbinsMonro",
    "Rule",
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
    "SOAP",
    "Solver",
    "Sophia",
    "split",
    "start",
    "Status",
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
    "Target",
    "to_config",
    "Trace",
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
