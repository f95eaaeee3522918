"""How a gradient becomes an update: Optax's protocol, and how elementwise rules are lifted to trees."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.fields import fail
from thalweg.core.oracle import Oracle
from thalweg.core.tree import common_dtype, traced_once
from thalweg.core.types import Key, Params, Scalar, State, real


class Rule(eqx.Module):
    """Maps a gradient and its own state to an update that is added to the parameters.

    The protocol is Optax's, so a rule is at home in `optax.chain` (`rule.as_optax()`), in
    `flax.nnx.Optimizer` and in hand-written loops. A rule whose `update` must be given more than Optax's arguments
    says so in `needs`, and a loop that cannot give it refuses the rule.
    """

    needs: ClassVar[frozenset[Oracle]] = frozenset()
    """What the loop must know beside a gradient, for instance `tw.Oracle.CURVATURE`."""

    @abc.abstractmethod
    def init(self, params: Params) -> State:
        """The state before the first step."""

    @abc.abstractmethod
    def update(self, grads: Params, state: State, params: Params | None = None, **extra: Any) -> tuple[Params, State]:
        """The update that is added to the parameters, and the new state."""

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


def needs_of(rule: Rule) -> frozenset[Oracle]:
    """What a rule, and the rules inside it, must be given beside a gradient."""
    fields = (getattr(rule, field.name) for field in dataclasses.fields(rule))
    parts = (part for field in fields for part in (field if isinstance(field, tuple) else (field,)))
    return rule.needs.union(*(needs_of(part) for part in parts if isinstance(part, Rule)))


class Inner(NamedTuple):
    """The state of a rule around a rule that remembers nothing of its own."""

    rule: State


_SCHEDULE_FREE = "ScheduleFreeState"
"""The state of Optax's form of Schedule-Free, in which `x` would not be the point that the method reports."""


class OptaxRule(Rule):
    """An Optax transformation as a rule. Extra arguments reach it if it can take them."""

    transformation: Any

    def init(self, params: Params) -> State:
        """The state that Optax's `init` makes."""
        state = self.transformation.init(params)
        for node in jax.tree.leaves(state, is_leaf=lambda node: type(node).__name__ == _SCHEDULE_FREE):
            if type(node).__name__ == _SCHEDULE_FREE:
                raise TypeError(
                    "Optax's schedule_free updates the point of the gradient and hides the point to report: use "
                    "tw.ScheduleFree(rule) or tw.ScheduleFreeSGD(learning_rate) instead."
                )
        return state

    def update(self, grads: Params, state: State, params: Params | None = None, **extra: Any) -> tuple[Params, State]:
        """Optax's own update. Its line searches refuse arguments beyond those that Optax itself names."""
        names = ("value", "grad", "value_fn") if _is_extra_args(self.transformation) else ()
        extra = {name: extra[name] for name in names if name in extra}
        return self.transformation.update(grads, state, params, **extra)

    def rate(self, state: State) -> Scalar:
        """The rate is NaN: Optax keeps its rate in a closure."""
        return real(jnp.nan)


def is_optax(value: Any) -> bool:
    """Whether `value` is an Optax transformation (looked at by its shape: Optax is not imported)."""
    return isinstance(value, tuple) and getattr(value, "_fields", None) == ("init", "update")


def _is_extra_args(transformation: Any) -> bool:
    """Whether an Optax transformation takes extra keyword arguments."""
    return "ExtraArgs" in type(transformation).__name__


def rule_field(default: Any = ...) -> Any:
    """A dataclass field for the rule inside a method: a `Rule`, or an Optax transformation."""
    return eqx.field(converter=as_rule, **({} if default is ... else {"default": default}))


def as_rule(value: Any) -> Any:
    """An Optax transformation as a rule; anything else as it is."""
    return OptaxRule(value) if is_optax(value) else value


def check_rule(owner: Any, name: str = "rule") -> None:
    """Refuses a field that holds no rule."""
    value = getattr(owner, name)
    if not isinstance(value, Rule):
        fail(owner, name, value, "a rule such as tw.Adam(1e-3), or an Optax transformation")


def required(owner: Rule, grads: Params, name: str, value: Any) -> Any:
    """An argument of `update` that Optax's protocol leaves out and this rule needs, or one sentence.

    A tree without arrays, for which there is nothing to do, may itself be None.
    """
    if value is None and jax.tree.leaves(grads):
        call = "update(grads, state, params)" if name == "params" else f"update(grads, state, params, {name}=...)"
        raise ValueError(f"{type(owner).__name__}.update({name}=None): this rule needs {name}; call {call}.")
    return value


def key_of(extra: dict[str, Any], count: Scalar) -> Key:
    """The step's random key, or, in a loop that hands out none, one made of the count alone."""
    key = extra.get("key")
    return jax.random.fold_in(jax.random.key(0), count) if key is None else key


def at(number: Any, count: Scalar) -> Scalar:
    """A hyperparameter, or a schedule of it at a step count, as a scalar of at least float32."""
    value = number(count) if callable(number) else number
    return jnp.asarray(value, jnp.result_type(float))


def lift(formula: Callable, trees: tuple[Params, ...], *scalars: Any) -> tuple[Params, ...]:
    """Applies an elementwise formula for one array to every leaf of several trees of one structure.

    `formula(*arrays, *scalars)` returns a tuple. Arrays narrower than float32 are computed in float32. The first
    result has the dtypes of the first tree, the second those of the second and so on (there are no more results than
    trees): a rule that returns `(update, m, v)` for `(grads, m, v)` keeps each of them in its own precision. Scalars
    are cast where they meet a leaf, so a rule neither loses `1 - b2**t` in bfloat16 nor changes the dtype of what it is
    given.
    """

    def one(leaves, scalars):
        dtype = common_dtype(leaves)
        out = formula(*(value.astype(dtype) for value in (*leaves, *scalars)))
        return tuple(o.astype(like.dtype) for o, like in zip(out, leaves[: len(out)], strict=True))

    scalars = tuple(jnp.asarray(scalar) for scalar in scalars)
    leaves, treedef = jax.tree.flatten(trees[0])
    if not leaves:  # a group of parameters may be empty; how many results there are, only the formula knows
        nothing = [jax.ShapeDtypeStruct((), jnp.float32)] * len(trees)
        return tuple(trees[0] for _ in jax.eval_shape(one, nothing, scalars))
    mapped, columns = traced_once(one, trees), [leaves] + [treedef.flatten_up_to(tree) for tree in trees[1:]]
    rows = [mapped(row, scalars) for row in zip(*columns, strict=True)]
    return tuple(treedef.unflatten(column) for column in zip(*rows, strict=True))
