"""Masks: functions of the parameters that return one bool per leaf, which tells a rule where weight decay applies."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from thalweg.core.fields import fail
from thalweg.core.types import Params

Mask = Callable[[Params], Any]


def matrices(params: Params) -> Any:
    """A mask that is True for leaves with two or more axes: weights, not biases or scales of normalization layers.

    - `params`: the tree of parameters. Pass the function itself: `tw.AdamW(1e-3, mask=tw.matrices)`.
    """
    return jax.tree.map(lambda leaf: jnp.ndim(leaf) >= 2, params)


def check_mask(owner: Any) -> None:
    """Checks that `mask` is None or a function. A tree of bools is not hashable, so it cannot be part of a program."""
    if owner.mask is not None and not callable(owner.mask):
        fail(owner, "mask", owner.mask, "None or a function of the parameters, for instance tw.matrices")


def zero_unmasked(owner: Any, params: Params) -> Params:
    """Returns `params` with a 0 in place of every leaf for which the owner's mask is False.

    The 0 is a scalar, so it takes no memory; multiplying by 0 would give NaN where the leaf is infinite.
    """
    if owner.mask is None:
        return params
    return jax.tree.map(
        lambda yes, leaf: leaf if yes else jnp.zeros((), leaf.dtype), evaluate_mask(owner, params), params
    )


def evaluate_mask(owner: Any, params: Params) -> Any:
    """Returns the owner's mask of `params`: one bool per leaf."""
    if owner.mask is None:
        return jax.tree.map(lambda leaf: True, params)
    choice = owner.mask(params)
    leaves, structure = jax.tree.flatten(choice)
    others = [type(leaf).__name__ for leaf in leaves if not isinstance(leaf, bool)]
    if structure != jax.tree.structure(params) or others:
        found = "a tree of another structure" if structure != jax.tree.structure(params) else f"a leaf {others[0]}"
        raise ValueError(
            f"{type(owner).__name__}(mask={owner.mask!r}): mask must return the parameters' tree with True or False in "
            f"place of every leaf, but it returned {found}."
        )
    return choice
