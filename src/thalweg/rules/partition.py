"""Parameter groups: a separate rule for each group of leaves, selected by patterns over their paths."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import equinox as eqx
from jax.tree_util import tree_leaves_with_path, tree_map_with_path

from thalweg.core.rule import Rule, as_rule
from thalweg.core.types import Params, Scalar, State
from thalweg.core.variables import leaf_name
from thalweg.rules.freeze import Freeze

_MAX_LISTED = 6
"""The number of paths or patterns that an error message lists."""
_FLAX_VALUE = "/value"
"""The last part of the path to a Flax variable's array."""


class Partition(Rule):
    r"""Parameter groups: a rule for each pattern over the paths of the parameters.

    ```python
    tw.Partition({"**/bias": tw.SGD(1e-2), "encoder/**": tw.Freeze(), "**": tw.AdamW(1e-3)})
    ```

    A leaf belongs to the first pattern that matches its path, for instance `encoder/layers/0/weight`. In a pattern `*`
    matches anything within one name, `**` any number of names including none, and `?` one character. The `/value` at
    the end of a Flax variable's path may be left out.

    - `patterns`: a dict from patterns to rules or Optax transformations, in the order of their precedence; or a tuple
      of patterns, with their rules in `rules`.
    - `rules`: one rule for each pattern, if `patterns` is a tuple.

    Every parameter must match a pattern, and every pattern must be the first match of some parameter; otherwise a
    `ValueError` lists the rest. The learning rate in the trace is that of the first group that is not frozen.

    **Needs** what its rules need.
    **Guarantee** Every group is updated as its rule alone would update it.
    """

    patterns: tuple[str, ...] = eqx.field(static=True)
    rules: tuple[Rule, ...]

    def __init__(self, patterns: Mapping[str, Any] | tuple[str, ...], rules: tuple[Any, ...] | None = None):
        groups = patterns if isinstance(patterns, Mapping) else dict(zip(patterns, rules or (), strict=True))
        self.patterns = tuple(groups)
        self.rules = tuple(as_rule(rule) for rule in groups.values())

    def __check_init__(self):
        if not self.patterns:
            raise ValueError('Partition({}): give at least one group, for instance {"**": tw.Adam()}.')
        for pattern, rule in zip(self.patterns, self.rules, strict=True):
            if not isinstance(pattern, str):
                raise TypeError(f"Partition: the pattern {pattern!r} must be a string such as 'encoder/**'.")
            if not isinstance(rule, Rule):
                raise TypeError(f"Partition: {pattern!r} must be mapped to a rule such as tw.SGD(0.1), not {rule!r}.")

    def init(self, params: Params) -> State:
        """Returns a tuple with the initial state of every group's rule."""
        return tuple(rule.init(part) for rule, part in zip(self.rules, self.parts(params), strict=True))

    def update(
        self, grads: Params, state: State, params: Params | None = None, **extra: Any
    ) -> tuple[Params, tuple[State, ...]]:
        """Returns the update of every group by its own rule, combined into one tree, and the new states."""
        of_params = [None] * len(self.rules) if params is None else self.parts(params)
        updates, states = [], []
        for rule, part, before, mine in zip(self.rules, self.parts(grads), state, of_params, strict=True):
            update, after = rule.update(part, before, mine, **(extra | ({"grad": part} if "grad" in extra else {})))
            updates.append(update)
            states.append(after)
        return functools.reduce(eqx.combine, updates), tuple(states)

    def rate(self, state: State) -> Scalar:
        """Returns the learning rate of the first group that is not frozen."""
        moving = [pair for pair in zip(self.rules, state, strict=True) if not isinstance(pair[0], Freeze)]
        rule, inner = moving[0] if moving else (self.rules[0], state[0])
        return rule.rate(inner)

    def parts(self, tree: Params) -> list[Params]:
        """Returns the tree once for every group, with None in place of the leaves of other groups."""
        group = assign_groups(self.patterns, tree)
        return [
            tree_map_with_path(lambda path, leaf, g=g: leaf if group[leaf_name(path)] == g else None, tree)
            for g in range(len(self.patterns))
        ]


def assign_groups(patterns: tuple[str, ...], tree: Params) -> dict[str, int]:
    """Returns path -> index of its pattern; raises an error that lists unmatched paths or unused patterns."""
    names = [leaf_name(path) for path, _ in tree_leaves_with_path(tree)]
    group = {name: next((g for g, p in enumerate(patterns) if _matches_path(p, name)), None) for name in names}
    orphans = [name for name, g in group.items() if g is None]
    idle = [pattern for g, pattern in enumerate(patterns) if g not in group.values()]
    if orphans:
        raise ValueError(
            f"Partition: no pattern matches {_listing(orphans)}; the patterns are {_listing(map(repr, patterns))}. Add "
            "a pattern, for instance '**' at the end."
        )
    if idle and names:
        raise ValueError(
            f"Partition: {_listing(map(repr, idle))} is not the first match of any parameter; the parameters are "
            f"{_listing(names)}. Correct the pattern, or move it before a more general one."
        )
    return {name: g for name, g in group.items() if g is not None}


def _listing(names: Any) -> str:
    """Returns the first names, and how many more there are."""
    names = list(names)
    return ", ".join(map(str, names[:_MAX_LISTED])) + (
        f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    )


def _matches_path(pattern: str, name: str) -> bool:
    """Whether a path matches, as it is or without the attribute in which Flax keeps a variable's array."""
    return matches_pattern(pattern, name) or (
        name.endswith(_FLAX_VALUE) and matches_pattern(pattern, name.removesuffix(_FLAX_VALUE))
    )


def matches_pattern(pattern: str, name: str) -> bool:
    """Whether a path matches a pattern as it is."""
    return _pattern_regex(pattern).fullmatch(name) is not None


@functools.cache
def _pattern_regex(pattern: str) -> re.Pattern[str]:
    """Returns the pattern as a regular expression over a path; `**` includes the slash beside it."""
    pieces = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", pattern)
    special = {"**/": r"(?:[^/]+/)*", "/**": r"(?:/[^/]+)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(special.get(piece, re.escape(piece)) for piece in pieces))
