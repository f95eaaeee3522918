"""What a run can start from, but the user should know."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.problem import Problem
from thalweg.core.stop import GradNorm, Stop, rules_of
from thalweg.core.types import Params
from thalweg.core.variables import is_inexact, leaf_name
from thalweg.run.warn import warn


def within(problem: Problem, x: Params, who: str = "x0 lies") -> Params:
    """The start, moved within the bounds with a warning where it lies outside."""
    if problem.bounds is None:
        return x
    moved = problem.bounds.start(x)
    if moved is not x:
        far = max(
            (float(np.max(np.abs(np.asarray(p, float) - np.asarray(q, float)), initial=0)), leaf_name(path))
            for (path, p), q in zip(tree_leaves_with_path(x), jax.tree.leaves(moved), strict=True)
        )
        warn(f"{who} outside the bounds, {far[1]} by {far[0]:.3g}: a run starts from the nearest point within.")
    return moved


def warn_of_tolerance(stop: Stop, x: Params) -> None:
    """Says where a gradient test asks for more digits than the variables have."""
    narrowest = max((leaf.dtype for leaf in jax.tree.leaves(x) if is_inexact(leaf)), key=precision, default=None)
    for rule in rules_of(stop):
        if narrowest is None or not isinstance(rule, GradNorm) or not isinstance(rule.tolerance, float):
            continue
        eps = precision(narrowest)
        if 0 < rule.tolerance < eps:
            dtype = jax.dtypes.canonicalize_dtype(narrowest)
            warn(
                f"{rule!r} is below what {dtype} can reach unless the objective is very small or flat: rounding leaves "
                f"about {eps:.1g} of a gradient; the smallest sensible tolerance is GradNorm({eps:.1g})"
                f"{'' if dtype == np.float64 else ', or use float64 (jax_enable_x64)'}."
            )


def precision(dtype: Any) -> float:
    """The rounding unit of a dtype as JAX holds it."""
    return float(jnp.finfo(jax.dtypes.canonicalize_dtype(dtype)).eps)
