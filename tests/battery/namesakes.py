"""Every rule's namesake in Optax, at the same numbers, as its row in the registry says."""

import functools

import optax
import optax.contrib

import thalweg as tw

_RULES = {name: row for name, row in tw.METHODS.items() if isinstance(row.example(""), tw.Rule)}

NAMESAKES = {
    name: functools.partial(row.namesake, optax) for name, row in _RULES.items() if not isinstance(row.namesake, str)
}
"""Name -> what makes Optax's form of a rule."""
UNKNOWN_TO_OPTAX: dict[str, str] = {
    name: row.namesake for name, row in _RULES.items() if isinstance(row.namesake, str) and row.namesake
}
"""Rows without a namesake in Optax, and who else has one: `tests/peers` compares them with its numbers."""
