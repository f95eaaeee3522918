"""Learning-rate schedules as closed forms of the step: `schedule(t)` is the rate at step `t = 0, 1, ...`."""

from thalweg.schedules.cycles import CosineRestarts, Cyclical, OneCycle, OneCycleMomentum
from thalweg.schedules.decays import Constant, Cosine, Exponential, InverseTime, Linear, Polynomial, StepDecay
from thalweg.schedules.joined import Join, Piecewise, Scaled
from thalweg.schedules.robbins_monro import RobbinsMonro, robbins_monro
from thalweg.schedules.schedule import Schedule
from thalweg.schedules.warmup import WSD, InverseSqrt, Warmup, WarmupCosine

__all__ = [
    "WSD",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Cyclical",
    "Exponential",
    "InverseSqrt",
    "InverseTime",
    "Join",
    "Linear",
    "OneCycle",
    "OneCycleMomentum",
    "Piecewise",
    "Polynomial",
    "RobbinsMonro",
    "Scaled",
    "Schedule",
    "StepDecay",
    "Warmup",
    "WarmupCosine",
    "robbins_monro",
]
