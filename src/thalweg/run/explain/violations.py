"""Which constraints a point violates, by name: for the message of a run that could not meet them."""

from typing import Any

import jax
import numpy as np

from thalweg.core.bounds import match
from thalweg.core.constraints import names
from thalweg.core.problem import Problem
from thalweg.core.types import Params
from thalweg.core.variables import entries, leaf_name, rejoin

_MOST_NAMED = 3
"""Constraints that a sentence names."""
_SLIGHT = 1e-3
"""A violation that is this small a fraction of the worst is not worth a name."""


def violations(problem: Problem, x: Params) -> list[tuple[str, float]]:
    """`(name, violation)` of every constraint that is violated or NaN at the variables `x`, the worst first."""
    tree, found = rejoin(x, problem.objective.frozen), []
    parts = (
        ("equality", problem.equality, problem.equalities),
        ("inequality", problem.inequality, problem.inequalities),
    )
    for part, fun, values in parts:
        found += zip(names(part, fun, tree), np.asarray(values(x), float), strict=True)
    found = [(name, abs(v) if name.startswith("equality") else v) for name, v in found]
    if problem.bounds is not None:
        for side, limit, sign in (("lower", problem.bounds.lower, 1), ("upper", problem.bounds.upper, -1)):
            found += _outside(side, match(limit, x), x, sign)
    if problem.nonsmooth.is_set:
        found.append((type(problem.nonsmooth).__name__, float(problem.nonsmooth.violation(x))))
    bad = [(name, float(v)) for name, v in found if not v <= 0]
    return sorted(bad, key=lambda pair: -np.inf if np.isnan(pair[1]) else -pair[1])


def _outside(side: str, limit: Params, x: Params, sign: int) -> list[tuple[str, float]]:
    """The violation of one side of every bound."""
    found = []
    pairs = zip(jax.tree_util.tree_leaves_with_path(x), jax.tree.leaves(limit), strict=True)
    for (path, leaf), bound in pairs:
        gap = sign * (np.asarray(bound, float) - np.asarray(leaf, float))
        found += zip(entries(f"{side} bound of {leaf_name(path)}", gap.shape), gap.ravel().tolist(), strict=True)
    return found


def violated_in_words(bad: list[tuple[str, float]]) -> str:
    """The worst few, and how many more there are that matter."""
    bad = [(name, v) for name, v in bad if not v < _SLIGHT * bad[0][1]]
    listed = [f"{name} is {'NaN' if np.isnan(v) else f'violated by {v:.3g}'}" for name, v in bad[:_MOST_NAMED]]
    more = f" and {len(bad) - _MOST_NAMED} more" if len(bad) > _MOST_NAMED else ""
    return ", ".join(listed) + more


def lost_constraints(problem: Problem, x: Any) -> str:
    """The constraints that are NaN at `x`, in words; empty where none is."""
    bad = [(name, v) for name, v in violations(problem, x) if np.isnan(v)]
    return violated_in_words(bad)
