"""Why a run ended, in a sentence; and what to try next."""

import jax
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.status import Status
from thalweg.core.stop import GradNorm, Stop
from thalweg.core.trace import Trace
from thalweg.core.types import Params
from thalweg.core.variables import leaf_name

SMALL_SCALE, LARGE_SCALE = 1e-30, 1e30
"""Objective values beyond these make absolute tolerances meaningless."""


def last(column: np.ndarray) -> float:
    """The last number of a column, NaN if there is none."""
    return float(column[-1]) if len(column) else float("nan")


def message(status: Status, rule: Stop | None, trace: Trace, row: int) -> str:
    """The sentence after `STATUS after n steps:`."""
    optimality = float(trace.optimality[row]) if len(trace.optimality) else float("nan")
    if isinstance(rule, GradNorm):
        return f"the first-order residual, {optimality:.3g}, is at most {float(rule.tolerance):.3g}."
    if rule is not None:
        return f"{rule!r} fired."
    texts = {
        Status.STOPPED: "a callback said stop.",
        Status.NONFINITE: nonfinite(trace),
        Status.SEARCH_FAILED: f"no step lowers the value any more; the first-order residual is {optimality:.3g}.",
        Status.DIVERGED: "the objective falls without end.",
        Status.INFEASIBLE: "the constraints cannot be met near this point.",
        Status.INTERRUPTED: "interrupted.",
        Status.TIME_LIMIT: "the time is up.",
    }
    return texts.get(status, "")


def nonfinite(trace: Trace) -> str:
    """Which number was lost, and at which step."""
    step = len(trace.value) - 1
    value = last(trace.value)
    if not np.isfinite(value):
        tail = ", so no point of this run is finite." if step == 0 else "; this is the best finite point."
        return f"the objective is {value} at step {step}{tail}"
    if np.isnan(last(trace.optimality)):
        return f"the gradient is NaN at step {step} where the objective is {value:.6g}."
    return f"the iterate is not finite after step {step}; this is the best finite point."


def advice(status: Status, trace: Trace, row: int, *, x0: Params, x: Params, default_limit: bool) -> tuple[str, ...]:
    """What to try next, from what the run shows."""
    value = float(trace.value[row]) if len(trace.value) else float("nan")
    scale = abs(value)
    out = []
    if status == Status.CONVERGED and len(trace.value) == 1:
        out.append("The start already passes the test." + (SCALE_HINT.format(value=value) if 0 < scale < SMALL_SCALE else ""))
    elif status == Status.CONVERGED:
        out.append("Stationary to first order; the curvature was not checked, so a saddle is possible.")
    if status == Status.SEARCH_FAILED:
        out.append(noise_floor(value, scale))
    if status == Status.NONFINITE:
        out.append(cure_nonfinite(trace))
    if status == Status.DIVERGED:
        out.append(f"Unbounded below along {ray(x0, x)}: add bounds or a penalty.")
    if status == Status.STEP_LIMIT and default_limit:
        out.append("The limit was the default, Steps(10000): pass stop=tw.GradNorm(tolerance) | tw.Steps(n) with more steps.")
    return tuple(out)


SCALE_HINT = " The objective is of the size {value:.1e}: multiply it by a constant, or lower the tolerance of tw.GradNorm."


def noise_floor(value: float, scale: float) -> str:
    """A search that fails near a minimum has met the rounding of the objective."""
    if scale > LARGE_SCALE:
        return f"The objective is of the size {value:.1e}, so its rounding hides the tolerance: divide it by a constant."
    return (
        "Differences of the objective are below its rounding here: this is the accuracy that the dtype allows, "
        "or the gradient is wrong. A larger tolerance or float64 (jax_enable_x64) would end with CONVERGED."
    )


def cure_nonfinite(trace: Trace) -> str:
    """Growth before the loss means steps that are too long; a NaN gradient at a finite value means a kink."""
    value = trace.value[np.isfinite(trace.value)]
    if np.isfinite(last(trace.value)) and np.isnan(last(trace.optimality)):
        return "The objective has a kink there: declare it, e.g. Problem(f, nonsmooth=tw.L1(1.0)) with tw.FISTA()."
    if len(value) > 1 and abs(value[-1]) > 1e3 * (abs(value[0]) + 1):
        return f"The value grew from {value[0]:.3g} to {value[-1]:.3g} first: lower the learning rate."
    return "Look at logarithms, divisions and square roots at that point; jax_debug_nans finds the operation."


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


