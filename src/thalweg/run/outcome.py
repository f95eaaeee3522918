"""How a run ended: which point the user gets, and the carry with which it could go on."""

from typing import Any, NamedTuple

import numpy as np

from thalweg.core.iterate import Carry
from thalweg.core.status import Status
from thalweg.core.stop import GradNorm, Stop, Target
from thalweg.core.types import Params

_AT_POINT = (GradNorm, Target)
"""Rules whose verdict is about `x_t`: the run returns that point, not the one the step went on to."""


def is_at_point(status: Status, rule: Stop | None) -> bool:
    """Whether a run that ended so returns the point of its last row."""
    return status == Status.CONVERGED or isinstance(rule, _AT_POINT)


def running(carry: Carry) -> Carry:
    """The carry of a run that ended, ready to go on."""
    return carry._replace(status=np.full(np.shape(carry.status), Status.RUNNING.value, np.int32))


class Outcome(NamedTuple):
    """The end of a run, before it is put into words. `kept`: the step whose point `x` is."""

    x: Params
    model_state: Any
    status: Status
    rule: Stop | None
    kept: int
    steps: int
