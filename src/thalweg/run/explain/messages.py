"""Why a run ended, in a sentence."""

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
from thalweg.run.explain.findings import Lost, last_number


def message(
    status: Status, rule: Stop | None, trace: Trace, row: int, said: str = "", lost: Lost | None = None, sign: int = 1
) -> str:
    """The sentence after `STATUS after n steps:`; `said` and `lost` are what the driver knows of the end.

    `sign` is -1 where the objective is maximized; the trace is in the user's sign.
    """
    optimality = float(trace.optimality[row]) if len(trace.optimality) else float("nan")
    if isinstance(rule, GradNorm):
        return f"the first-order residual, {optimality:.3g}, is at most {float(rule.tolerance):.3g}."
    if rule is not None:
        return _reached(rule, sign)
    lowers, falls = ("lowers", "falls") if sign > 0 else ("raises", "rises")
    texts = {
        Status.STOPPED: said or "a callback said stop.",
        Status.NONFINITE: "" if lost is None else _nonfinite(trace, lost),
        Status.SEARCH_FAILED: f"no step {lowers} the value any more; the first-order residual is {optimality:.3g}.",
        Status.DIVERGED: f"the objective {falls} without end.",
        Status.INFEASIBLE: f"the constraints cannot be met near this point: {said}.",
        Status.INTERRUPTED: said or "an exception broke it off.",
        Status.TIME_LIMIT: "the time is up.",
    }
    return texts.get(status, "")


def _reached(rule: Stop, sign: int) -> str:
    """A stop rule's verdict in words."""
    lowest = "lowest" if sign > 0 else "highest"
    texts = {
        Steps: lambda r: f"the limit of {r.count:g} steps is reached.",
        Epochs: lambda r: f"the limit of {r.count:g} epochs is reached.",
        Evaluations: lambda r: f"the limit of {r.count:g} evaluations is reached.",
        Seconds: lambda r: f"the limit of {r.seconds:g} seconds is reached.",
        Target: lambda r: f"the value is at {'most' if sign > 0 else 'least'} {r.value:.6g}.",
        Patience: lambda r: f"{r.count:g} validations in a row brought no new {lowest} value.",
        StepNorm: lambda r: f"the largest entry of a step is at most {r.tolerance:.3g}.",
        ValueChange: lambda r: f"the value changed by at most {r.tolerance:.3g} in a step.",
    }
    return texts.get(type(rule), lambda r: f"{r!r} fired.")(rule)


def _nonfinite(trace: Trace, lost: Lost) -> str:
    """Which number was lost, and at which step."""
    value = last_number(trace.value)
    leaf = "" if lost.leaf is None else f", in {lost.leaf}"
    if not np.isfinite(value):
        batch = "" if lost.whole else "on its batch "
        if lost.whole and lost.step == 0:
            return f"the objective is {value} at step 0, so no point of this run is finite."
        return f"the objective is {value} {batch}at step {lost.step}; this is {lost.returned}."
    if lost.constraints:
        return f"{lost.constraints} at step {lost.step}{leaf}, where the objective is {value:.6g}."
    if lost.whole and np.isnan(last_number(trace.optimality)):
        return f"the gradient is NaN at step {lost.step}{leaf}, where the objective is {value:.6g}."
    if lost.whole:
        return f"the iterate is not finite after step {lost.step}{leaf}; this is {lost.returned}."
    return (
        f"the gradient, or the step that it led to, is not finite at step {lost.step}{leaf}, where the objective is "
        f"{value:.6g} on its batch; this is {lost.returned}."
    )


def first_bad(x: Params) -> str | None:
    """The name of the first variable that is not finite throughout."""
    leaves = tree_leaves_with_path(x)
    return next((leaf_name(path) for path, leaf in leaves if not np.isfinite(np.asarray(leaf)).all()), None)
