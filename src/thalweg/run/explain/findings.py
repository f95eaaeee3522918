"""What a run shows of itself: each finding has a name, the sentence that says it, and its cure.

The thresholds stand here, beside their reasons, and nowhere else: whoever explains a run imports these.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.status import Status
from thalweg.core.trace import Trace
from thalweg.core.types import Params
from thalweg.core.variables import leaf_name

_SMALL_SCALE, _LARGE_SCALE = 1e-30, 1e30
"""Objective values beyond these make absolute tolerances meaningless."""
_SMALL_RESIDUAL = 1e-3
"""A residual below this, relative to the value, can be the rounding of the objective (float32 included)."""
_STEADY, _MANY_STEPS = 0.9, 1000
"""A run of many steps in which every quarter gained this fraction of the last one's gain is not slowing down."""
_FEW_LOOKS = 3
"""Curvatures that may all be 0 by accident."""
_GROWTH = 1e3
"""A value that grew by this factor before it was lost did so because the steps were too long."""


class Finding(NamedTuple):
    """Something that a run shows: its `name` in the diagnosis' vocabulary, a `sentence`, and the `cure`; one may be "".

    Printed as advice it is the sentence and the cure.
    """

    name: str
    sentence: str
    cure: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.sentence, self.cure) if part)


STEP_LIMIT = Finding(
    "too-few-steps",
    "The limit was the default, Steps(10000):",
    "pass stop=tw.GradNorm(tolerance) | tw.Steps(n) with more steps.",
)
INFEASIBLE = Finding(
    "infeasible",
    "No small move lowers the violation.",
    "Are the signs right? inequality=c means c(x) <= 0 (SciPy: >= 0). If the constraints can be met, start nearer to "
    "where they are.",
)
_PIECEWISE_LINEAR = Finding(
    "kink",
    "Every curvature that was met is 0: the loss is piecewise linear, and a second-order method learns nothing from "
    "it;",
    "use tw.LBFGS(), or declare the kinks as a nonsmooth part.",
)
_ROUNDING = Finding(
    "rounding-floor",
    "Noise floor: differences of the objective are below its rounding here, so this is the accuracy that the dtype "
    "allows.",
    "A larger tolerance, or float64 (jax_enable_x64), would end with CONVERGED.",
)
_NO_DESCENT = Finding(
    "kink",
    "The residual is far from zero, yet no step along it lowers the value: a kink, a jump, noise in the objective or a "
    "wrong gradient.",
    "A kink can be declared: Problem(f, nonsmooth=tw.L1(...)) with tw.FISTA().",
)
_STATIONARY = Finding(
    "curvature-unchecked",
    "Stationary to first order; the curvature was not checked, so a saddle is possible.",
)
_NAN_IN_CONSTRAINT = Finding(
    "start-outside", "", "Start where every constraint is a number, or write it so that it is one everywhere."
)
_NAN_GRADIENT = Finding(
    "kink",
    "The objective has a kink there:",
    "declare it, e.g. Problem(f, nonsmooth=tw.L1(1.0)) with tw.FISTA().",
)
_NAN_SOMEWHERE = "Look at logarithms, divisions and square roots at that point; jax_debug_nans finds the operation."
_DROP = 'If single batches are at fault, on_nonfinite="skip" or "rollback" drops their steps.'
"""For a run on batches that was not told what to do with a lost step."""


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


class Ended(NamedTuple):
    """A run that has ended, as far as findings need it.

    - `trace`: in the user's sign; `row`: the one that describes the point that is returned.
    - `moved`: the first point and the last one that was reached. `default_limit`: whether the step limit was the
      library's own. `lost`: where the numbers were lost, if they were. `sign`: -1 where the objective is maximized.
    """

    status: Status
    trace: Trace
    row: int
    moved: tuple[Params, Params]
    default_limit: bool
    lost: Lost | None
    sign: int = 1


def findings(end: Ended) -> tuple[Finding, ...]:
    """What to say beside why the run ended."""
    status, trace, row = end.status, end.trace, end.row
    value = float(trace.value[row]) if len(trace.value) else float("nan")
    optimality = float(trace.optimality[row]) if len(trace.optimality) else float("nan")
    if status == Status.CONVERGED:
        return (_converged(trace, row, value, end.sign),)
    if status in (Status.SEARCH_FAILED, Status.STEP_LIMIT) and _is_piecewise_linear(trace):
        return (_PIECEWISE_LINEAR,)
    if status == Status.SEARCH_FAILED:
        return (_search_failed(value, optimality),)
    if status == Status.NONFINITE and end.lost is not None:
        return (_not_finite(trace, end.lost),)
    if status == Status.INFEASIBLE:
        return (INFEASIBLE,)
    if status == Status.DIVERGED:
        steady = ", or the steps are far too short" if falls_steadily(end.sign * trace.value) else ""
        side = "below" if end.sign > 0 else "above"
        return (
            Finding("no-minimum", f"Unbounded {side} along {_ray(*end.moved)}:", f"add bounds or a penalty{steady}."),
        )
    if status == Status.STEP_LIMIT and end.default_limit:
        return (STEP_LIMIT,)
    return ()


def _is_piecewise_linear(trace: Trace) -> bool:
    """Whether a second-order method looked at the curvature at many points, and never met any."""
    curvature = np.asarray((trace.extra or {}).get("curvature", np.nan))
    curvature = curvature[np.isfinite(curvature)]
    return len(curvature) > _FEW_LOOKS and not curvature.any()


def _converged(trace: Trace, row: int, value: float, sign: int) -> Finding:
    """What a first-order certificate does not say, unless the method looked at the curvature too."""
    curvature = float(trace.extra["curvature"][row]) if "curvature" in (trace.extra or {}) else float("nan")
    if len(trace.value) > 1 and np.isfinite(curvature):
        away, nearest = ("negative", "smallest") if sign > 0 else ("positive", "largest")
        return Finding(
            "healthy", f"The method found no {away} curvature beyond rounding; the {nearest} met is {curvature:.3g}."
        )
    if len(trace.value) > 1:
        return _STATIONARY
    if 0 < abs(value) < _SMALL_SCALE:
        return Finding(
            "badly-scaled-objective",
            f"The start already passes the test. The objective is of the size {value:.1e}:",
            "multiply it by a constant, or lower tw.GradNorm's tolerance.",
        )
    return Finding("healthy", "The start already passes the test.")


def at_noise_floor(value: float, optimality: float) -> bool:
    """Whether a search that failed is explained by the rounding of the objective."""
    return optimality <= _SMALL_RESIDUAL * max(1.0, abs(value))


def _search_failed(value: float, optimality: float) -> Finding:
    """A search fails at the rounding of the objective, or where the gradient does not describe it."""
    if abs(value) > _LARGE_SCALE:
        return Finding(
            "badly-scaled-objective",
            f"The objective is of the size {value:.1e}, so its rounding hides the tolerance:",
            "divide it by a constant.",
        )
    return _ROUNDING if at_noise_floor(value, optimality) else _NO_DESCENT


def falls_steadily(value: np.ndarray) -> bool:
    """Whether the value fell in every quarter of the run about as much as before: no sign of a minimum."""
    quarters = np.linspace(0, len(value) - 1, 5).astype(int)
    falls = -np.diff(value[quarters])
    return bool(len(value) > _MANY_STEPS and np.all(falls > 0) and np.all(falls[1:] >= _STEADY * falls[:-1]))


def _not_finite(trace: Trace, lost: Lost) -> Finding:
    """Growth before the loss means steps that are too long; a NaN gradient at a finite value means a kink."""
    value = trace.value[np.isfinite(trace.value)]
    finite = np.isfinite(last_number(trace.value))
    if lost.constraints:
        return _NAN_IN_CONSTRAINT
    if lost.whole and finite and np.isnan(last_number(trace.optimality)):
        return _NAN_GRADIENT
    if len(value) > 1 and abs(value[-1]) > _GROWTH * (abs(value[0]) + 1):
        grew = f"The value grew from {value[0]:.3g} to {value[-1]:.3g} first:"
        return Finding("rate-too-high", grew, "lower the learning rate.")
    if (labels := _integers_in(lost.data)) and np.isnan(last_number(trace.value)):
        what = f"A label out of range? {labels}; tw.losses.cross_entropy is NaN where labels are not in [0, classes)."
        return Finding("nan-origin", what)
    return Finding(
        "nan-origin", "", _NAN_SOMEWHERE if lost.whole or lost.policy != "stop" else f"{_NAN_SOMEWHERE} {_DROP}"
    )


def _integers_in(data: Any) -> str:
    """Those integers among the data that can be labels, the ones with the fewest axes, and where they lie."""
    leaves = [(path, leaf) for path, leaf in tree_leaves_with_path(data) if np.issubdtype(leaf.dtype, np.integer)]
    fewest = min((leaf.ndim for _, leaf in leaves), default=0)
    texts = [
        f"data{f'[{leaf_name(path)}]' if path else ''} holds integers from {np.min(leaf)} to {np.max(leaf)}"
        for path, leaf in leaves
        if leaf.ndim == fewest
    ]
    return ", ".join(texts)


def last_number(column: np.ndarray) -> float:
    """The last number of a column, NaN if there is none."""
    return float(column[-1]) if len(column) else float("nan")


def _ray(x0: Params, x: Params) -> str:
    """The direction in which a run left, by its largest entry."""
    moved = jax.tree.map(lambda a, b: np.asarray(b, float) - np.asarray(a, float), x0, x)
    best = ("x", (), 0.0)
    for path, leaf in tree_leaves_with_path(moved):
        if leaf.size and np.abs(leaf).max() > abs(best[2]):
            at = np.unravel_index(np.abs(leaf).argmax(), leaf.shape)
            best = (leaf_name(path), at, float(leaf[at]))
    name, at, size = best
    return f"{name}{[int(i) for i in at] if at else ''} -> {'+' if size > 0 else '-'}inf"
