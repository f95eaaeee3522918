"""Why a run ended, in a sentence; and what to try next."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.status import Status
from thalweg.core.stop import (
    Epochs,
    Evaluations,
    GradNorm,
    Patience,
    Seconds,
    StepNorm,
    Steps,
    Stop,
    Target,
    ValueChange,
)
from thalweg.core.trace import Trace
from thalweg.core.types import Params
from thalweg.core.variables import leaf_name

SMALL_SCALE, LARGE_SCALE = 1e-30, 1e30
"""Objective values beyond these make absolute tolerances meaningless."""
SMALL_RESIDUAL = 1e-3
"""A residual below this, relative to the value, can be the rounding of the objective (float32 included)."""
STEADY, MANY_STEPS = 0.9, 1000
"""A run of many steps in which every quarter gained this fraction of the last one's gain is not slowing down."""
LONGER = "The limit was the default, Steps(10000): pass stop=tw.GradNorm(tolerance) | tw.Steps(n) with more steps."
INFEASIBLE = (
    "No small move lowers the violation. Are the signs right? inequality=c means c(x) <= 0 (SciPy: >= 0). If the "
    "constraints can be met, start nearer to where they are."
)
FEW_LOOKS = 3
"""Curvatures that may all be 0 by accident."""
STRAIGHT = (
    "Every curvature that was met is 0: the loss is piecewise linear, and a second-order method learns nothing from "
    "it; use tw.LBFGS(), or declare the kinks as a nonsmooth part."
)
GROWTH = 1e3
"""A value that grew by this factor before it was lost did so because the steps were too long."""


class Lost(NamedTuple):
    """Where the numbers of a run were lost.

    - `step`; `leaf`: the first variable that is not finite after it, None where all are.
    - `whole`: whether every step saw the same data. `data`: what the step saw, or all data.
    - `policy`: what was done with such steps. `returned`: which point the user has instead.
    - `constraints`: those that are NaN there, in words.
    """

    step: int
    leaf: str | None
    whole: bool
    data: Any
    policy: str
    returned: str
    constraints: str = ""


def last(column: np.ndarray) -> float:
    """The last number of a column, NaN if there is none."""
    return float(column[-1]) if len(column) else float("nan")


def message(
    status: Status, rule: Stop | None, trace: Trace, row: int, said: str = "", lost: Lost | None = None, sign: int = 1
) -> str:
    """The sentence after `STATUS after n steps:`; `said` and `lost` are what the driver knows of the end.

    `sign` is -1 where the objective is maximised; the trace is in the user's sign.
    """
    optimality = float(trace.optimality[row]) if len(trace.optimality) else float("nan")
    if isinstance(rule, GradNorm):
        return f"the first-order residual, {optimality:.3g}, is at most {float(rule.tolerance):.3g}."
    if rule is not None:
        return reached(rule, sign)
    lowers, falls = ("lowers", "falls") if sign > 0 else ("raises", "rises")
    texts = {
        Status.STOPPED: said or "a callback said stop.",
        Status.NONFINITE: "" if lost is None else nonfinite(trace, lost),
        Status.SEARCH_FAILED: f"no step {lowers} the value any more; the first-order residual is {optimality:.3g}.",
        Status.DIVERGED: f"the objective {falls} without end.",
        Status.INFEASIBLE: f"the constraints cannot be met near this point: {said}.",
        Status.INTERRUPTED: said or "an exception broke it off.",
        Status.TIME_LIMIT: "the time is up.",
    }
    return texts.get(status, "")


def reached(rule: Stop, sign: int) -> str:
    """A stop rule's verdict in words."""
    texts = {
        Steps: lambda r: f"the limit of {r.count:g} steps is reached.",
        Epochs: lambda r: f"the limit of {r.count:g} epochs is reached.",
        Evaluations: lambda r: f"the limit of {r.count:g} evaluations is reached.",
        Seconds: lambda r: f"the limit of {r.seconds:g} seconds is reached.",
        Target: lambda r: f"the value is at {'most' if sign > 0 else 'least'} {r.value:.6g}.",
        Patience: lambda r: f"{r.count:g} validations in a row brought no new lowest value.",
        StepNorm: lambda r: f"the largest entry of a step is at most {r.tolerance:.3g}.",
        ValueChange: lambda r: f"the value changed by at most {r.tolerance:.3g} in a step.",
    }
    return texts.get(type(rule), lambda r: f"{r!r} fired.")(rule)


def nonfinite(trace: Trace, lost: Lost) -> str:
    """Which number was lost, and at which step."""
    value = last(trace.value)
    leaf = "" if lost.leaf is None else f", in {lost.leaf}"
    if not np.isfinite(value):
        batch = "" if lost.whole else "on its batch "
        if lost.whole and lost.step == 0:
            return f"the objective is {value} at step 0, so no point of this run is finite."
        return f"the objective is {value} {batch}at step {lost.step}; this is {lost.returned}."
    if lost.constraints:
        return f"{lost.constraints} at step {lost.step}{leaf}, where the objective is {value:.6g}."
    if lost.whole and np.isnan(last(trace.optimality)):
        return f"the gradient is NaN at step {lost.step}{leaf}, where the objective is {value:.6g}."
    if lost.whole:
        return f"the iterate is not finite after step {lost.step}{leaf}; this is {lost.returned}."
    return (
        f"the gradient, or the step that it led to, is not finite at step {lost.step}{leaf}, where the objective is "
        f"{value:.6g} on its batch; this is {lost.returned}."
    )


def advice(
    status: Status,
    trace: Trace,
    row: int,
    moved: tuple[Params, Params],
    default_limit: bool,
    lost: Lost | None,
    sign: int = 1,
) -> tuple[str, ...]:
    """What to try next, from what the run shows. `moved`: the first point and the last one that was reached."""
    value = float(trace.value[row]) if len(trace.value) else float("nan")
    optimality = float(trace.optimality[row]) if len(trace.optimality) else float("nan")
    if status == Status.CONVERGED:
        return (converged(trace, row, value),)
    if status in (Status.SEARCH_FAILED, Status.STEP_LIMIT) and is_straight(trace):
        return (STRAIGHT,)
    if status == Status.SEARCH_FAILED:
        return (search_failed(value, optimality),)
    if status == Status.NONFINITE and lost is not None:
        return (cure_nonfinite(trace, lost),)
    if status == Status.INFEASIBLE:
        return (INFEASIBLE,)
    if status == Status.DIVERGED:
        steady = ", or the steps are far too short" if falls_steadily(sign * trace.value) else ""
        return (f"Unbounded {'below' if sign > 0 else 'above'} along {ray(*moved)}: add bounds or a penalty{steady}.",)
    if status == Status.STEP_LIMIT and default_limit:
        return (LONGER,)
    return ()


def is_straight(trace: Trace) -> bool:
    """Whether a second-order method looked at the curvature at many points, and never met any."""
    curvature = np.asarray((trace.extra or {}).get("curvature", np.nan))
    curvature = curvature[np.isfinite(curvature)]
    return len(curvature) > FEW_LOOKS and not curvature.any()


def converged(trace: Trace, row: int, value: float) -> str:
    """What a first-order certificate does not say, unless the method looked at the curvature too."""
    curvature = float(trace.extra["curvature"][row]) if "curvature" in (trace.extra or {}) else float("nan")
    if len(trace.value) > 1 and np.isfinite(curvature):
        return f"The method found no negative curvature beyond rounding; the smallest met is {curvature:.3g}."
    if len(trace.value) > 1:
        return "Stationary to first order; the curvature was not checked, so a saddle is possible."
    hint = ""
    if 0 < abs(value) < SMALL_SCALE:
        hint = (
            f" The objective is of the size {value:.1e}: multiply it by a constant, or lower tw.GradNorm's tolerance."
        )
    return "The start already passes the test." + hint


def at_noise_floor(value: float, optimality: float) -> bool:
    """Whether a search that failed is explained by the rounding of the objective."""
    return optimality <= SMALL_RESIDUAL * max(1.0, abs(value))


def search_failed(value: float, optimality: float) -> str:
    """A search fails at the rounding of the objective, or where the gradient does not describe it."""
    if abs(value) > LARGE_SCALE:
        return (
            f"The objective is of the size {value:.1e}, so its rounding hides the tolerance: divide it by a constant."
        )
    if at_noise_floor(value, optimality):
        return (
            "Noise floor: differences of the objective are below its rounding here, so this is the accuracy that the "
            "dtype allows. A larger tolerance, or float64 (jax_enable_x64), would end with CONVERGED."
        )
    return (
        "The residual is far from zero, yet no step along it lowers the value: a kink, a jump, noise in the objective "
        "or a wrong gradient. A kink can be declared: Problem(f, nonsmooth=tw.L1(...)) with tw.FISTA()."
    )


def falls_steadily(value: np.ndarray) -> bool:
    """Whether the value fell in every quarter of the run about as much as before: no sign of a minimum."""
    quarters = np.linspace(0, len(value) - 1, 5).astype(int)
    falls = -np.diff(value[quarters])
    return bool(len(value) > MANY_STEPS and np.all(falls > 0) and np.all(falls[1:] >= STEADY * falls[:-1]))


def cure_nonfinite(trace: Trace, lost: Lost) -> str:
    """Growth before the loss means steps that are too long; a NaN gradient at a finite value means a kink."""
    value = trace.value[np.isfinite(trace.value)]
    finite = np.isfinite(last(trace.value))
    if lost.constraints:
        return "Start where every constraint is a number, or write it so that it is one everywhere."
    if lost.whole and finite and np.isnan(last(trace.optimality)):
        return "The objective has a kink there: declare it, e.g. Problem(f, nonsmooth=tw.L1(1.0)) with tw.FISTA()."
    if len(value) > 1 and abs(value[-1]) > GROWTH * (abs(value[0]) + 1):
        return f"The value grew from {value[0]:.3g} to {value[-1]:.3g} first: lower the learning rate."
    if (labels := integers(lost.data)) and np.isnan(last(trace.value)):
        return f"A label out of range? {labels}; tw.losses.cross_entropy is NaN where labels are not in [0, classes)."
    look = "Look at logarithms, divisions and square roots at that point; jax_debug_nans finds the operation."
    return look if lost.whole or lost.policy != "stop" else f"{look} {DROP}"


DROP = 'If single batches are at fault, on_nonfinite="skip" or "rollback" drops their steps.'
"""For a run on batches that was not told what to do with a lost step."""


def integers(data: Any) -> str:
    """Those integers among the data that can be labels, the ones with the fewest axes, and where they lie."""
    leaves = [(path, leaf) for path, leaf in tree_leaves_with_path(data) if np.issubdtype(leaf.dtype, np.integer)]
    fewest = min((leaf.ndim for _, leaf in leaves), default=0)
    texts = [
        f"data{f'[{leaf_name(path)}]' if path else ''} holds integers from {np.min(leaf)} to {np.max(leaf)}"
        for path, leaf in leaves
        if leaf.ndim == fewest
    ]
    return ", ".join(texts)


def first_bad(x: Params) -> str | None:
    """The name of the first variable that is not finite throughout."""
    leaves = tree_leaves_with_path(x)
    return next((leaf_name(path) for path, leaf in leaves if not np.isfinite(np.asarray(leaf)).all()), None)


def ray(x0: Params, x: Params) -> str:
    """The direction in which a run left, by its largest entry."""
    moved = jax.tree.map(lambda a, b: np.asarray(b, float) - np.asarray(a, float), x0, x)
    best = ("x", (), 0.0)
    for path, leaf in tree_leaves_with_path(moved):
        if leaf.size and np.abs(leaf).max() > abs(best[2]):
            at = np.unravel_index(np.abs(leaf).argmax(), leaf.shape)
            best = (leaf_name(path), at, float(leaf[at]))
    name, at, size = best
    return f"{name}{[int(i) for i in at] if at else ''} -> {'+' if size > 0 else '-'}inf"
