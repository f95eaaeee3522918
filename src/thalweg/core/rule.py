"""How a gradient becomes an update: Optax's protocol, and how elementwise rules are lifted to trees."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.tree import wide
from thalweg.core.types import Params, Scalar, State, real


class Rule(eqx.Module):
    """Maps a gradient and its own state to an update that is added to the parameters.

    The protocol is Optax's, so a rule is at home in `optax.chain` (`rule.as_optax()`), in
    `flax.nnx.Optimizer` and in hand-written loops.
    """

    @abc.abstractmethod
    def init(self, params: Params) -> State:
        """The state before the first step."""

    @abc.abstractmethod
    def update(self, grads: Params, state: State, params: Params | None = None, **extra: Any) -> tuple[Params, State]:
        """`(update, new state)`."""

    @abc.abstractmethod
    def rate(self, state: State) -> Scalar:
        """The learning rate that the next update will use; NaN where the rule has none."""

    def as_optax(self) -> Any:
        """This rule as an Optax transformation; needs Optax installed."""
        try:
            import optax
        except ImportError as error:
            raise ImportError(f"{type(self).__name__}.as_optax() needs Optax: pip install optax.") from error
        return optax.GradientTransformationExtraArgs(self.init, self.update)  # pyright: ignore[reportArgumentType]


SCHEDULE_FREE = "ScheduleFreeState"
"""The state of Optax's form of Schedule-Free, in which `x` would not be the point that the method reports."""


class OptaxRule(Rule):
    """An Optax transformation as a rule. Extra arguments reach it if it can take them."""

    transformation: Any

    def init(self, params: Params) -> State:
        """Optax's `init`."""
        state = self.transformation.init(params)
        for node in jax.tree.leaves(state, is_leaf=lambda node: type(node).__name__ == SCHEDULE_FREE):
            if type(node).__name__ == SCHEDULE_FREE:
                raise TypeError(
                    "Optax's schedule_free updates the point of the gradient and hides the point to report: use "
                    "tw.ScheduleFree(rule) or tw.ScheduleFreeSGD(learning_rate) instead."
                )
        return state

    def update(self, grads: Params, state: State, params: Params | None = None, **extra: Any) -> tuple[Params, State]:
        """Optax's `update`. Its line searches refuse arguments beyond those that Optax itself names."""
        names = ("value", "grad", "value_fn") if is_extra_args(self.transformation) else ()
        extra = {name: extra[name] for name in names if name in extra}
        return self.transformation.update(grads, state, params, **extra)

    def rate(self, state: State) -> Scalar:
        """NaN: Optax keeps its rate in a closure."""
        return real(jnp.nan)


def is_optax(value: Any) -> bool:
    """Whether `value` is an Optax transformation (looked at by its shape: Optax is not imported)."""
    return isinstance(value, tuple) and getattr(value, "_fields", None) == ("init", "update")


def is_extra_args(transformation: Any) -> bool:
    """Whether an Optax transformation takes extra keyword arguments."""
    return "ExtraArgs" in type(transformation).__name__


def at(rate: Any, count: Scalar) -> Scalar:
    """A learning rate, or a schedule at a step count, as a scalar of at least float32."""
    value = rate(count) if callable(rate) else rate
    return jnp.asarray(value, jnp.result_type(float))


def lift(formula: Callable, trees: tuple[Params, ...], *scalars: Any) -> tuple[Params, ...]:
    """Applies an elementwise formula for one array to every leaf of several trees of one structure.

    `formula(*arrays, *scalars)` returns a tuple. Arrays narrower than float32 are computed in float32 and every
    result is stored in the first tree's leaf dtype; scalars are cast where they meet a leaf, so a rule neither
    loses `1 - b2**t` in bfloat16 nor changes the dtype of what it is given.
    """

    def one(*leaves):
        dtype = wide(leaves[0].dtype)
        arrays = (leaf.astype(dtype) for leaf in leaves)
        out = formula(*arrays, *(jnp.asarray(s).astype(dtype) for s in scalars))
        return tuple(o.astype(leaves[0].dtype) for o in out)

    leaves, treedef = jax.tree.flatten(trees[0])
    if not leaves:  # a group of parameters may be empty; how many results there are, only the formula knows
        nothing = [jax.ShapeDtypeStruct((), jnp.float32)] * len(trees)
        return tuple(trees[0] for _ in jax.eval_shape(one, *nothing))
    columns = [leaves] + [treedef.flatten_up_to(tree) for tree in trees[1:]]
    rows = [one(*row) for row in zip(*columns, strict=True)]
    return tuple(treedef.unflatten(column) for column in zip(*rows, strict=True))
