"""Thalweg: one loop for every optimization method of machine learning, and an account of why a run went as it went.

A name is imported when it is first used, so that `import thalweg` costs nothing. The table below says where each
name is defined; the imports that type checkers and editors read stand above it, and a test compares both.
"""

from typing import TYPE_CHECKING

from thalweg.core.lazy import lazy

# fmt: off
if TYPE_CHECKING:
    from thalweg.core.batches import Batches as Batches
    from thalweg.core.bounds import Bounds as Bounds
    from thalweg.core.objective import LatentModel as LatentModel, LeastSquares as LeastSquares, Objective as Objective
    from thalweg.core.problem import Problem as Problem
    from thalweg.core.nonsmooth import Nonsmooth as Nonsmooth
    from thalweg.nonsmooth.norms import L1 as L1
    from thalweg.nonsmooth.sets import L2Ball as L2Ball, Simplex as Simplex
    from thalweg.core.oracle import Oracle as Oracle
    from thalweg.core.stream import Stream as Stream
    from thalweg.minimization import minimize as minimize
    from thalweg.batch import minimize_batch as minimize_batch
    from thalweg.implicit import solution as solution
    from thalweg.suggestion import suggest as suggest
    from thalweg.core.iterate import Carry as Carry, iterate as iterate, start as start
    from thalweg.core.optimality import optimality as optimality
    from thalweg.core.status import Status as Status
    from thalweg.core.trace import Trace as Trace
    from thalweg.core.variables import split as split
    from thalweg.run.result import MinimizeError as MinimizeError, Result as Result
    from thalweg.run.warn import MinimizeWarning as MinimizeWarning
    from thalweg.run.many.batch_result import BatchResult as BatchResult
    from thalweg.core.average import Average as Average, EMA as EMA, PolyakRuppert as PolyakRuppert, SWA as SWA
    from thalweg.core.first_order import FirstOrder as FirstOrder
    from thalweg.core.rule import Rule as Rule
    from thalweg.rules.adam import Adam as Adam
    from thalweg.rules.adamw import AdamW as AdamW
    from thalweg.rules.adaptive.adadelta import AdaDelta as AdaDelta
    from thalweg.rules.adaptive.adagrad import AdaGrad as AdaGrad
    from thalweg.rules.adaptive.adan import Adan as Adan
    from thalweg.rules.adaptive.ademamix import AdEMAMix as AdEMAMix
    from thalweg.rules.adaptive.adopt import ADOPT as ADOPT
    from thalweg.rules.adaptive.amsgrad import AMSGrad as AMSGrad
    from thalweg.rules.adaptive.nadam import NAdam as NAdam
    from thalweg.rules.adaptive.radam import RAdam as RAdam
    from thalweg.rules.adaptive.rmsprop import RMSProp as RMSProp
    from thalweg.rules.adaptive.signs import Lion as Lion, SignSGD as SignSGD
    from thalweg.rules.adaptive.sophia import Sophia as Sophia
    from thalweg.rules.describe import describe as describe, Description as Description
    from thalweg.rules.freeze import Freeze as Freeze
    from thalweg.rules.layerwise.adafactor import Adafactor as Adafactor
    from thalweg.rules.layerwise.adam_mini import AdamMini as AdamMini
    from thalweg.rules.layerwise.lamb import LAMB as LAMB
    from thalweg.rules.layerwise.lars import LARS as LARS
    from thalweg.rules.masks import matrices as matrices
    from thalweg.rules.matrix.muon import Muon as Muon
    from thalweg.rules.matrix.shampoo import Shampoo as Shampoo
    from thalweg.rules.matrix.soap import SOAP as SOAP
    from thalweg.rules.momentum import Momentum as Momentum
    from thalweg.rules.parameter_free.dadapt_adam import DAdaptAdam as DAdaptAdam
    from thalweg.rules.parameter_free.prodigy import Prodigy as Prodigy
    from thalweg.rules.partition import Partition as Partition
    from thalweg.rules.sgd import SGD as SGD
    from thalweg.rules.wrappers.accumulate import Accumulate as Accumulate
    from thalweg.rules.wrappers.centralize import Centralize as Centralize
    from thalweg.rules.wrappers.clip import AdaptiveClip as AdaptiveClip, Clip as Clip
    from thalweg.rules.wrappers.noise import GradientNoise as GradientNoise
    from thalweg.rules.wrappers.skip import SkipNonfinite as SkipNonfinite
    from thalweg.rules.wrappers.cautious import Cautious as Cautious
    from thalweg.rules.wrappers.lookahead import Lookahead as Lookahead
    from thalweg.rules.wrappers.mars import MARS as MARS
    from thalweg.rules.wrappers.compact import CompactState as CompactState
    from thalweg.rules.wrappers.master import MasterCopy as MasterCopy
    from thalweg.rules.wrappers.weight_decay import WeightDecay as WeightDecay
    from thalweg.rules.wrappers.plateau import ReduceOnPlateau as ReduceOnPlateau
    from thalweg.rules.wrappers.reactive import Reactive as Reactive
    from thalweg.core.solver import Solver as Solver
    from thalweg.solvers.blackbox.annealing import SimulatedAnnealing as SimulatedAnnealing
    from thalweg.solvers.composite.fista import FISTA as FISTA
    from thalweg.solvers.constrained.augmented_lagrangian import AugmentedLagrangian as AugmentedLagrangian
    from thalweg.solvers.constrained.projected_gradient import ProjectedGradient as ProjectedGradient
    from thalweg.solvers.descent.conjugate_gradient import ConjugateGradient as ConjugateGradient
    from thalweg.solvers.descent.descent import Descent as Descent
    from thalweg.solvers.descent.bfgs import BFGS as BFGS
    from thalweg.solvers.descent.lbfgs import LBFGS as LBFGS
    from thalweg.solvers.descent.lbfgsb import LBFGSB as LBFGSB
    from thalweg.solvers.descent.newton import Newton as Newton, SaddleFreeNewton as SaddleFreeNewton
    from thalweg.solvers.descent.newton_cg import NewtonCG as NewtonCG
    from thalweg.solvers.descent.preconditioned import PreconditionedLBFGS as PreconditionedLBFGS
    from thalweg.solvers.descent.steepest import (
        BarzilaiBorweinDescent as BarzilaiBorweinDescent, PolyakDescent as PolyakDescent,
        SteepestDescent as SteepestDescent,
    )
    from thalweg.solvers.finite_sum.svrg import SVRG as SVRG
    from thalweg.solvers.first_order.nesterov import Nesterov as Nesterov
    from thalweg.solvers.first_order.sam import ASAM as ASAM, SAM as SAM
    from thalweg.solvers.first_order.schedule_free import (
        ScheduleFree as ScheduleFree, ScheduleFreeAdamW as ScheduleFreeAdamW, ScheduleFreeSGD as ScheduleFreeSGD,
    )
    from thalweg.solvers.trust_region.cauchy import TrustCauchy as TrustCauchy
    from thalweg.solvers.trust_region.cubic import CubicRegularization as CubicRegularization
    from thalweg.solvers.trust_region.dogleg import TrustDogleg as TrustDogleg
    from thalweg.solvers.trust_region.exact import TrustExact as TrustExact
    from thalweg.solvers.trust_region.sr1 import SR1 as SR1
    from thalweg.solvers.trust_region.trust_region import TrustRegion as TrustRegion
    from thalweg.solvers.least_squares.gauss_newton import GaussNewton as GaussNewton
    from thalweg.solvers.least_squares.levenberg_marquardt import LevenbergMarquardt as LevenbergMarquardt
    from thalweg.solvers.latent.em import EM as EM
    from thalweg.solvers.latent.gaussian_mixture import GaussianMixture as GaussianMixture, Mixture as Mixture
    from thalweg.core.stop import (
        Epochs as Epochs, Evaluations as Evaluations, GradNorm as GradNorm, Never as Never, Patience as Patience,
        Seconds as Seconds, StepNorm as StepNorm, Steps as Steps, Stop as Stop, Target as Target,
        ValueChange as ValueChange,
    )
    from thalweg.run.observe.callbacks import Event as Event, Every as Every
    from thalweg.run.observe.history import History as History
    from thalweg.run.observe.progress import Progress as Progress
    from thalweg.core.types import (
        Evals as Evals, Evaluation as Evaluation, Info as Info, make_info as make_info, Step as Step,
    )
    from thalweg.solvers.protocol import check_protocol as check_protocol
    from thalweg.core.config import change as change, from_config as from_config, to_config as to_config
    from thalweg.registry import METHODS as METHODS
    from thalweg.solvers import descent as descent, trust_region as trust_region
    from thalweg import (
        landscape as landscape, line_search as line_search, losses as losses, plot as plot, problems as problems,
        schedules as schedules, scipy as scipy,
    )
    from thalweg.solvers.blackbox import moves as moves
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        # Module -> the names that it defines.
        {
            # The problem
            "thalweg.core.batches": "Batches",
            "thalweg.core.bounds": "Bounds",
            "thalweg.core.objective": "LatentModel LeastSquares Objective",
            "thalweg.core.problem": "Problem",
            "thalweg.core.nonsmooth": "Nonsmooth",
            "thalweg.nonsmooth.norms": "L1",
            "thalweg.nonsmooth.sets": "L2Ball Simplex",
            "thalweg.core.oracle": "Oracle",
            "thalweg.core.stream": "Stream",
            # The verbs, and what they return
            "thalweg.minimization": "minimize",
            "thalweg.batch": "minimize_batch",
            "thalweg.implicit": "solution",
            "thalweg.suggestion": "suggest",
            "thalweg.core.iterate": "Carry iterate start",
            "thalweg.core.optimality": "optimality",
            "thalweg.core.status": "Status",
            "thalweg.core.trace": "Trace",
            "thalweg.core.variables": "split",
            "thalweg.run.result": "MinimizeError Result",
            "thalweg.run.warn": "MinimizeWarning",
            "thalweg.run.many.batch_result": "BatchResult",
            "thalweg.core.average": "Average EMA PolyakRuppert SWA",
            # Rules
            "thalweg.core.first_order": "FirstOrder",
            "thalweg.core.rule": "Rule",
            "thalweg.rules.adam": "Adam",
            "thalweg.rules.adamw": "AdamW",
            "thalweg.rules.adaptive.adadelta": "AdaDelta",
            "thalweg.rules.adaptive.adagrad": "AdaGrad",
            "thalweg.rules.adaptive.adan": "Adan",
            "thalweg.rules.adaptive.ademamix": "AdEMAMix",
            "thalweg.rules.adaptive.adopt": "ADOPT",
            "thalweg.rules.adaptive.amsgrad": "AMSGrad",
            "thalweg.rules.adaptive.nadam": "NAdam",
            "thalweg.rules.adaptive.radam": "RAdam",
            "thalweg.rules.adaptive.rmsprop": "RMSProp",
            "thalweg.rules.adaptive.signs": "Lion SignSGD",
            "thalweg.rules.adaptive.sophia": "Sophia",
            "thalweg.rules.describe": "describe Description",
            "thalweg.rules.freeze": "Freeze",
            "thalweg.rules.layerwise.adafactor": "Adafactor",
            "thalweg.rules.layerwise.adam_mini": "AdamMini",
            "thalweg.rules.layerwise.lamb": "LAMB",
            "thalweg.rules.layerwise.lars": "LARS",
            "thalweg.rules.masks": "matrices",
            "thalweg.rules.matrix.muon": "Muon",
            "thalweg.rules.matrix.shampoo": "Shampoo",
            "thalweg.rules.matrix.soap": "SOAP",
            "thalweg.rules.momentum": "Momentum",
            "thalweg.rules.parameter_free.dadapt_adam": "DAdaptAdam",
            "thalweg.rules.parameter_free.prodigy": "Prodigy",
            "thalweg.rules.partition": "Partition",
            "thalweg.rules.sgd": "SGD",
            "thalweg.rules.wrappers.accumulate": "Accumulate",
            "thalweg.rules.wrappers.centralize": "Centralize",
            "thalweg.rules.wrappers.clip": "AdaptiveClip Clip",
            "thalweg.rules.wrappers.noise": "GradientNoise",
            "thalweg.rules.wrappers.skip": "SkipNonfinite",
            "thalweg.rules.wrappers.cautious": "Cautious",
            "thalweg.rules.wrappers.lookahead": "Lookahead",
            "thalweg.rules.wrappers.mars": "MARS",
            "thalweg.rules.wrappers.compact": "CompactState",
            "thalweg.rules.wrappers.master": "MasterCopy",
            "thalweg.rules.wrappers.weight_decay": "WeightDecay",
            "thalweg.rules.wrappers.plateau": "ReduceOnPlateau",
            "thalweg.rules.wrappers.reactive": "Reactive",
            # Solvers
            "thalweg.core.solver": "Solver",
            "thalweg.solvers.blackbox.annealing": "SimulatedAnnealing",
            "thalweg.solvers.composite.fista": "FISTA",
            "thalweg.solvers.constrained.augmented_lagrangian": "AugmentedLagrangian",
            "thalweg.solvers.constrained.projected_gradient": "ProjectedGradient",
            "thalweg.solvers.descent.conjugate_gradient": "ConjugateGradient",
            "thalweg.solvers.descent.descent": "Descent",
            "thalweg.solvers.descent.bfgs": "BFGS",
            "thalweg.solvers.descent.lbfgs": "LBFGS",
            "thalweg.solvers.descent.lbfgsb": "LBFGSB",
            "thalweg.solvers.descent.newton": "Newton SaddleFreeNewton",
            "thalweg.solvers.descent.newton_cg": "NewtonCG",
            "thalweg.solvers.descent.preconditioned": "PreconditionedLBFGS",
            "thalweg.solvers.descent.steepest": "BarzilaiBorweinDescent PolyakDescent SteepestDescent",
            "thalweg.solvers.finite_sum.svrg": "SVRG",
            "thalweg.solvers.first_order.nesterov": "Nesterov",
            "thalweg.solvers.first_order.sam": "ASAM SAM",
            "thalweg.solvers.first_order.schedule_free": "ScheduleFree ScheduleFreeAdamW ScheduleFreeSGD",
            "thalweg.solvers.trust_region.cauchy": "TrustCauchy",
            "thalweg.solvers.trust_region.cubic": "CubicRegularization",
            "thalweg.solvers.trust_region.dogleg": "TrustDogleg",
            "thalweg.solvers.trust_region.exact": "TrustExact",
            "thalweg.solvers.trust_region.sr1": "SR1",
            "thalweg.solvers.trust_region.trust_region": "TrustRegion",
            "thalweg.solvers.least_squares.gauss_newton": "GaussNewton",
            "thalweg.solvers.least_squares.levenberg_marquardt": "LevenbergMarquardt",
            "thalweg.solvers.latent.em": "EM",
            "thalweg.solvers.latent.gaussian_mixture": "GaussianMixture Mixture",
            # When to stop
            "thalweg.core.stop": "Epochs Evaluations GradNorm Never Patience Seconds StepNorm Steps Stop Target "
            "ValueChange",
            # While it runs
            "thalweg.run.observe.callbacks": "Event Every",
            "thalweg.run.observe.history": "History",
            "thalweg.run.observe.progress": "Progress",
            # To write a method
            "thalweg.core.types": "Evals Evaluation Info make_info Step",
            "thalweg.solvers.protocol": "check_protocol",
            # Configuration and the registry
            "thalweg.core.config": "change from_config to_config",
            "thalweg.registry": "METHODS",
        },
        # Name -> the module that it stands for: a family whose own names are used less often.
        {
            "descent": "thalweg.solvers.descent",
            "landscape": "thalweg.landscape",
            "line_search": "thalweg.line_search",
            "losses": "thalweg.losses",
            "moves": "thalweg.solvers.blackbox.moves",
            "plot": "thalweg.plot",
            "problems": "thalweg.problems",
            "schedules": "thalweg.schedules",
            "scipy": "thalweg.scipy",
            "trust_region": "thalweg.solvers.trust_region",
        },
    )
