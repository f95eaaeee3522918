"""Parameter groups: another rule for other leaves, chosen by their paths."""

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

MAX_LISTED = 6
"""Paths that an error lists."""
FLAX_VALUE = "/value"
"""The end of the path to a Flax variable's array."""


class Partition(Rule):
    r"""One rule for each group of parameters; groups are patterns over the paths of the tree.

    ```python
    tw.Partition({"**/bias": tw.SGD(1e-2), "encoder/**": tw.Freeze(), "**": tw.AdamW(1e-3)})
    ```

    A leaf belongs to the first pattern that fits its path, `encoder/layers/0/weight` for instance. In a pattern `*`
    stands for anything within one name, `**` for any number of names (none included), `?` for one letter. The
    `/value` at the end of a Flax variable's path may be left out.

    - `patterns`: a dict from patterns to rules (Optax transformations too), in the order of their precedence. Or the
      patterns alone, with `rules` one for each.

    Every parameter must be matched, and every pattern must be the first for some parameter: otherwise a `ValueError`
    lists what is left over. The learning rate in the trace is that of the first group that is not frozen.

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
        """The state of every group's rule."""
        return tuple(rule.init(part) for rule, part in zip(self.rules, self.parts(params), strict=True))

    def update(
        self, grads: Params, state: State, params: Params | None = None, **extra: Any
    ) -> tuple[Params, tuple[State, ...]]:
        """Every group's update by its own rule, joined."""
        of_params = [None] * len(self.rules) if params is None else self.parts(params)
        updates, states = [], []
        for rule, part, before, mine in zip(self.rules, self.parts(grads), state, of_params, strict=True):
            update, after = rule.update(part, before, mine, **(extra | ({"grad": part} if "grad" in extra else {})))
            updates.append(update)
            states.append(after)
        return functools.reduce(eqx.combine, updates), tuple(states)

    def rate(self, state: State) -> Scalar:
        """The first group's that is not frozen."""
        moving = [pair for pair in zip(self.rules, state, strict=True) if not isinstance(pair[0], Freeze)]
        rule, inner = moving[0] if moving else (self.rules[0], state[0])
        return rule.rate(inner)

    def parts(self, tree: Params) -> list[Params]:
        """The tree once for every group, with None in place of the other groups' leaves."""
        group = assign_groups(self.patterns, tree)
        return [
            tree_map_with_path(lambda path, leaf, g=g: leaf if group[leaf_name(path)] == g else None, tree)
            for g in range(len(self.patterns))
        ]


def assign_groups(patterns: tuple[str, ...], tree: Params) -> dict[str, int]:
    """Path -> index of its pattern; an error that lists what is left over on either side."""
    names = [leaf_name(path) for path, _ in tree_leaves_with_path(tree)]
    group = {name: next((g for g, p in enumerate(patterns) if matches_path(p, name)), None) for name in names}
    orphans = [name for name, g in group.items() if g is None]
    idle = [pattern for g, pattern in enumerate(patterns) if g not in group.values()]
    if orphans:
        raise ValueError(
            f"Partition: no pattern fits {listing(orphans)}; the patterns are {listing(map(repr, patterns))}: add a "
            "pattern, for instance '**' at the end."
        )
    if idle and names:
        raise ValueError(
            f"Partition: {listing(map(repr, idle))} is the first to fit no parameter; the parameters are "
            f"{listing(names)}: correct it, or move it before a wider pattern."
        )
    return {name: g for name, g in group.items() if g is not None}


def listing(names: Any) -> str:
    """Some names, and how many there are beyond."""
    names = list(names)
    return ", ".join(map(str, names[:MAX_LISTED])) + (
        f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    )


def matches_path(pattern: str, name: str) -> bool:
    """Whether a path fits, as it is or without the attribute in which Flax keeps a variable's array."""
    return matches_pattern(pattern, name) or (
        name.endswith(FLAX_VALUE) and matches_pattern(pattern, name.removesuffix(FLAX_VALUE))
    )


def matches_pattern(pattern: str, name: str) -> bool:
    """Whether a path fits a pattern."""
    return pattern_regex(pattern).fullmatch(name) is not None


@functools.cache
def pattern_regex(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression over a path; `**` swallows the slash beside it."""
    pieces = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", pattern)
    special = {"**/": r"(?:[^/]+/)*", "/**": r"(?:/[^/]+)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(special.get(piece, re.escape(piece)) for piece in pieces))
