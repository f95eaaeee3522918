"""Conversion of SciPy's arguments: functions with `args`, starts, bounds and constraints."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.bounds import Bounds
from thalweg.core.fields import static_field
from thalweg.core.objective import name_of
from thalweg.core.variables import hold, release
from thalweg.run.explain.cautions import precision
from thalweg.run.loss_facts import traced

_ONE_ARRAY = "x0 must be a single array, as in SciPy; use tw.minimize for other trees"


def attainable_tolerance(tolerance: float, x: Any) -> float:
    """Returns a tolerance that was meant for float64, increased to what the dtype of `x` can reach."""
    return max(tolerance, precision(x.dtype))


class ScipyObjective(eqx.Module):
    """The objective `fun(x, *args)`; arrays in `args` are traced, so that other data need no new compilation.

    - `fun`, `args`: the function and its further arguments.
    - `pair`: whether `fun` returns `(value, gradient)`, of which the value is used.
    """

    fun: Callable
    args: tuple
    pair: bool = static_field(False)

    def __call__(self, x: jax.Array) -> Any:
        """Returns the value as a scalar; an array with one entry is reshaped."""
        out = self.fun(x, *release(self.args))
        out = out[0] if self.pair and isinstance(out, tuple) else out
        return out.reshape(()) if isinstance(out, (jax.Array, np.ndarray)) and out.size == 1 else out

    @property
    def __name__(self) -> str:
        return name_of(self.fun)


class VectorFunction(eqx.Module):
    """The function `fun(x, *args)` with its result as a vector."""

    fun: Callable
    args: tuple

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns the result as a vector; a scalar becomes a vector of length 1."""
        return jnp.atleast_1d(jnp.asarray(self.fun(x, *release(self.args)))).reshape(-1)

    @property
    def __name__(self) -> str:
        return name_of(self.fun)


class LinearMap(eqx.Module):
    """The linear function `a @ x`."""

    a: Any

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns the product in the dtype of `x`."""
        return jnp.asarray(self.a, x.dtype) @ x


class TwoSidedConstraint(eqx.Module):
    """A constraint `lower <= rows(x) <= upper`, as SciPy writes it.

    The limits are part of the compiled program, because they decide which entries are equality constraints.
    """

    rows: Callable
    lower: tuple = static_field()
    upper: tuple = static_field()

    def split(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns `(h, c)` for the equality constraints `h(x) = 0` and the inequality constraints `c(x) <= 0`."""
        values = self.rows(x)
        lower, upper = (np.broadcast_to(np.asarray(side), values.shape) for side in (self.lower, self.upper))
        equal = lower == upper
        below, above = np.isfinite(lower) & ~equal, np.isfinite(upper) & ~equal

        def limits(side, where):
            return jnp.asarray(side[where], values.dtype)

        h = values[equal] - limits(lower, equal)
        c = jnp.concatenate([limits(lower, below) - values[below], values[above] - limits(upper, above)])
        return h, c


class StackedConstraints(eqx.Module):
    """All equality (`part` 0) or all inequality constraints (`part` 1) of several, as a tuple of vectors."""

    constraints: tuple[TwoSidedConstraint, ...]
    part: int = static_field()

    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        """Returns the equality or inequality part of every constraint."""
        return tuple(constraint.split(x)[self.part] for constraint in self.constraints)


def as_arguments(args: Any) -> tuple:
    """Returns `args` as a tuple; SciPy accepts a single argument without a tuple around it."""
    return hold(args if isinstance(args, tuple) else (args,))


def as_vector(x0: Any) -> np.ndarray:
    """Returns `x0` as a vector of floats, in its own dtype if that is a float."""
    if isinstance(x0, dict):
        raise TypeError(f"x0={x0!r}: {_ONE_ARRAY}.")
    x = np.atleast_1d(np.asarray(x0))
    if x.ndim != 1 or x.dtype.kind not in "fiub":
        raise ValueError(f"x0 has shape {x.shape} and dtype {x.dtype}: {_ONE_ARRAY}.")
    return x if x.dtype.kind == "f" else x.astype(float)


def as_bounds(bounds: Any, n: int) -> Bounds | None:
    """Converts pairs `(low, high)` with None for no limit, SciPy's `Bounds`, or `tw.Bounds`."""
    if bounds is None or isinstance(bounds, Bounds):
        return bounds
    if all(getattr(bounds, side, None) is not None for side in ("lb", "ub")):
        lower, upper = (np.broadcast_to(np.asarray(side, float), (n,)) for side in (bounds.lb, bounds.ub))
        return Bounds(lower, upper)
    pairs = [tuple(pair) for pair in bounds]
    if len(pairs) != n or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"bounds: {len(pairs)} entries for {n} variables: give one pair (low, high) per variable.")
    lower = np.asarray([-np.inf if low is None else low for low, _ in pairs], float)
    upper = np.asarray([np.inf if high is None else high for _, high in pairs], float)
    return Bounds(lower, upper)


def as_constraints(constraints: Any) -> tuple[TwoSidedConstraint, ...]:
    """Converts one or several of SciPy's constraints: dicts, `NonlinearConstraint`, `LinearConstraint`."""
    several = isinstance(constraints, (list, tuple))
    return tuple(_as_constraint(one) for one in (constraints if several else [constraints]))


def _as_constraint(constraint: Any) -> TwoSidedConstraint:
    """Converts one constraint of SciPy; the inequality of a dict means `fun(x) >= 0`."""
    if isinstance(constraint, dict):
        kind, fun = str(constraint.get("type", "")).lower(), constraint.get("fun")
        if kind not in ("eq", "ineq") or not callable(fun):
            raise ValueError(f"constraints: {constraint!r} needs 'type': 'eq' or 'ineq', and 'fun': a function.")
        upper = (0.0,) if kind == "eq" else (np.inf,)
        return TwoSidedConstraint(VectorFunction(fun, as_arguments(constraint.get("args", ()))), (0.0,), upper)
    limits = [getattr(constraint, name, None) for name in ("lb", "ub")]
    if any(limit is None for limit in limits):
        raise TypeError(f"constraints: {constraint!r} is neither a dict nor a constraint of scipy.optimize.")
    lower, upper = (tuple(np.atleast_1d(np.asarray(limit, float)).tolist()) for limit in limits)
    matrix = getattr(constraint, "A", None)
    if matrix is None:
        return TwoSidedConstraint(VectorFunction(constraint.fun, ()), lower, upper)
    dense = getattr(matrix, "toarray", lambda: matrix)()
    return TwoSidedConstraint(LinearMap(np.atleast_2d(np.asarray(dense, float))), lower, upper)


def equality_and_inequality(
    constraints: tuple[TwoSidedConstraint, ...], x: np.ndarray
) -> tuple[StackedConstraints | None, StackedConstraints | None]:
    """Returns the equality and the inequality constraints of all constraints; None for a kind that does not occur."""
    sizes = []
    for one in constraints:
        who = f"The constraint {name_of(getattr(one.rows, 'fun', one.rows))}"
        sizes.append([out.size for out in traced(who, one.split, x).out_avals])

    def side(part: int) -> StackedConstraints | None:
        some = tuple(one for one, size in zip(constraints, sizes, strict=True) if size[part])
        return StackedConstraints(some, part) if some else None

    return side(0), side(1)
