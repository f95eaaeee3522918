"""What is being solved: smooth part, nonsmooth part, constraints, data and validation in one value."""

import functools
from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.bounds import Bounds
from thalweg.core.constraints import stacked
from thalweg.core.fields import is_tracer, replace
from thalweg.core.nonsmooth import ZERO, Nonsmooth, Zero
from thalweg.core.objective import Function, Latent, LatentModel, Objective, takes_key
from thalweg.core.oracle import PARTS, Oracle
from thalweg.core.stream import Stream, is_streamable
from thalweg.core.tree import max_abs
from thalweg.core.types import Evals, Key, Params, Scalar, ScalarLike, real
from thalweg.core.variables import first_nonfinite, hold, is_array, is_inexact, is_numeric, leaf_name, rejoin


class Problem(eqx.Module):
    r"""Minimize \(f(x) + h(x)\) subject to bounds and constraints.

    - `objective`: a function `f(x)`; a loss `f(params, batch)` with `data`, the mean over the batch's leading
      axis; either may name a parameter `key` (dropout). Also `tw.LeastSquares(residuals)` and any
      `tw.LatentModel`.
    - `data`: tree of arrays with one common leading axis, or batches from elsewhere (`tw.Stream`, a loader, a
      generator). `validation`: the same kind of thing, held out.
    - `metrics`: `metrics(params, batch) -> dict` of scalars, measured on `validation`; `validation_loss`: in
      place of the loss there. Without it the loss itself is measured, with `key=None` if it takes a key. Both are
      means over a batch. Of a stateful problem both take the model state as a third argument.
    - `nonsmooth`: a `Nonsmooth`: a penalty, e.g. `tw.L1(1e-2)`, or a set, e.g. `tw.Simplex()`. `bounds`:
      `tw.Bounds(lower, upper)`.
    - `equality`, `inequality`: functions of the same tree as the loss that return an array, or a tree of arrays, with
      `h(x) = 0` and `c(x) <= 0`. SciPy's inequality constraints are `>= 0`: change the sign.
    - `stateful`: `loss(params, model_state, batch) -> (value, model_state)`. `has_aux`: the loss returns
      `(value, aux)` with a dict of scalars for the trace.
    - `maximize`: maximize the function, that is minimize \(-f(x) + h(x)\). Results, histories, `tw.Target` and
      validation speak of \(f - h\) then, in the user's sign; "lower" is better everywhere else.
    - `allow_unused`: accept parameters on which the loss does not depend. `allow_nan`: accept NaN and infinity in
      the data, for a loss that masks them.

    `stream` is where batches come from elsewhere, else None; `whole` says whether every step sees the same data.
    """

    objective: Objective
    nonsmooth: Nonsmooth
    bounds: Bounds | None
    equality: Callable | None
    inequality: Callable | None
    validation: Any
    validation_loss: Callable | None
    metrics: Callable | None
    stream: Stream | None = eqx.field(static=True)
    allow_unused: bool = eqx.field(static=True)
    whole: bool = eqx.field(static=True)

    def __init__(
        self,
        objective: Any,
        data: Any = None,
        *,
        validation: Any = None,
        nonsmooth: Nonsmooth | None = None,
        bounds: Bounds | None = None,
        equality: Callable | None = None,
        inequality: Callable | None = None,
        validation_loss: Callable | None = None,
        metrics: Callable | None = None,
        stateful: bool = False,
        has_aux: bool = False,
        maximize: bool = False,
        allow_unused: bool = False,
        allow_nan: bool = False,
    ):
        self.stream = _as_stream(data)
        sample = data if self.stream is None else self.stream.first()
        self.objective = _as_objective(objective, _check_data("data", sample, allow_nan), stateful, has_aux)
        self.objective = _maximized(self.objective) if maximize else self.objective
        if nonsmooth is not None and not isinstance(nonsmooth, Nonsmooth):
            raise TypeError(f"Problem(nonsmooth={nonsmooth!r}): give a Nonsmooth, for instance tw.L1(0.01).")
        self.nonsmooth = ZERO if nonsmooth is None else nonsmooth
        self.bounds, self.equality, self.inequality = bounds, equality, inequality
        held_out = _as_stream(validation)
        self.validation = _check_data("validation", validation, allow_nan) if held_out is None else held_out
        self.validation_loss, self.metrics = validation_loss, metrics
        self.allow_unused, self.whole = allow_unused, self.stream is None
        _check_streams(self.stream, held_out, self.objective)
        _check_bounds(nonsmooth, bounds, self.nonsmooth.separable)
        _check_functions(equality=equality, inequality=inequality, metrics=metrics, validation_loss=validation_loss)
        if (metrics or validation_loss) and validation is None:
            raise ValueError("Problem(metrics=...): metrics are measured on validation data: pass validation=(X, y).")

    @property
    def sign(self) -> int:
        """-1 where the user's function is maximized, else 1: the user's value is `sign` times the one minimized."""
        return -1 if getattr(self.objective, "maximize", False) else 1

    def offers(self, x: Params) -> frozenset[Oracle]:
        """Everything a method may ask of this problem at variables like `x`, and every part it consists of."""
        floating = all(is_inexact(leaf) for leaf in jax.tree.leaves(x))
        parts = (
            None if self.whole else Oracle.BATCHES,
            Oracle.SET if self.nonsmooth.is_set else None,
            Oracle.NONSMOOTH if not isinstance(self.nonsmooth, Zero) and not self.nonsmooth.is_set else None,
            Oracle.BOUNDS if self.bounds is not None else None,
            Oracle.EQUALITY if self.equality is not None else None,
            Oracle.INEQUALITY if self.inequality is not None else None,
        )
        return _all_offers(self.objective.offers, floating, parts)

    def parts(self, x: Params) -> frozenset[Oracle]:
        """The parts that a method must not ignore."""
        return self.offers(x) & PARTS

    def value(self, x: Params) -> Scalar:
        """Smooth plus nonsmooth value; sets and bounds contribute 0."""
        smooth = self.objective.value(x)
        return smooth if isinstance(self.nonsmooth, Zero) else smooth + self.nonsmooth.value(x).astype(smooth.dtype)

    def prox(self, x: Params, step_size: Scalar) -> Params:
        """Proximal step of the nonsmooth part and the bounds together."""
        x = self.nonsmooth.prox(x, step_size)
        return x if self.bounds is None else self.bounds.project(x)

    def project(self, x: Params) -> Params:
        """The nearest point within the bounds or the set; equality and inequality constraints are left alone."""
        x = self.nonsmooth.prox(x, jnp.ones(())) if self.nonsmooth.is_set else x
        return x if self.bounds is None else self.bounds.project(x)

    def equalities(self, x: Params) -> jax.Array:
        """`h` at the variables `x`, rejoined with what is held fixed, as one vector; empty where there is none."""
        return stacked("equality", self.equality, rejoin(x, self.objective.frozen))

    def inequalities(self, x: Params) -> jax.Array:
        """`c` at the variables `x`, rejoined with what is held fixed, as one vector; empty where there is none."""
        return stacked("inequality", self.inequality, rejoin(x, self.objective.frozen))

    @property
    def constrained(self) -> bool:
        """Whether a point can be infeasible."""
        parts = (self.bounds, self.equality, self.inequality)
        return self.nonsmooth.is_set or any(part is not None for part in parts)

    def infeasibility(self, x: Params) -> ScalarLike:
        """The largest violation of a bound, set or constraint at `x`; the plain number 0 where there is none."""
        if not self.constrained:
            return 0.0
        worst = [self.bounds.violation(x)] if self.bounds is not None else []
        worst += [self.nonsmooth.violation(x)] if self.nonsmooth.is_set else []
        worst += [max_abs(self.equalities(x))] if self.equality is not None else []
        worst += [max_abs(self.inequalities(x).clip(min=0))] if self.inequality is not None else []
        return functools.reduce(jnp.maximum, map(real, worst))

    def evals(
        self, *, value: ScalarLike = 0, gradient: ScalarLike = 0, hvp: ScalarLike = 0, prox: ScalarLike = 0
    ) -> Evals:
        """Counts with the examples that they read: every value and every Hessian product is a pass over the data."""
        return Evals(value, gradient, hvp, prox, (value + hvp) * self.objective.examples)

    def on(self, batch: Any, key: Key | None = None, model_state: Any = None) -> Self:
        """The same problem on one batch, with the random key and the model state of one step."""
        objective = self.objective.on(batch, key, model_state)
        return replace(self, objective=objective, whole=self.whole and batch is self.objective.data)

    def training(self, frozen: Any = None) -> Self:
        """The problem as the compiled programs see it: a function of the variables alone, rejoined with `frozen`.

        What only the driver reads (validation data, metrics) does not travel into the program.
        """
        objective = self.objective if frozen is None else replace(self.objective, frozen=hold(frozen))
        return replace(self, objective=objective, validation=None, validation_loss=None, metrics=None, stream=None)

    def in_batches(self) -> Self:
        """The problem of which every step sees another batch."""
        return replace(self, whole=False)


@functools.cache
def _all_offers(smooth: frozenset[Oracle], floating: bool, parts: tuple[Oracle | None, ...]) -> frozenset[Oracle]:
    """The oracles of a smooth part on floating-point or other variables, together with the parts that are there."""
    if not floating:
        smooth = (smooth - {Oracle.GRADIENT, Oracle.HVP}) | {Oracle.INTEGERS}
    changing = Oracle.BATCHES in parts or smooth & {Oracle.KEY, Oracle.MODEL_STATE}
    whole = frozenset() if changing else {Oracle.WHOLE}
    return smooth | whole | {part for part in parts if part is not None}


def _as_objective(objective: Any, data: Any, stateful: bool, has_aux: bool) -> Objective:
    """The objective form that fits what the user gave."""
    if isinstance(objective, Objective):
        return objective if data is None else replace(objective, data=data)
    if isinstance(objective, LatentModel):
        if data is None:
            raise ValueError(f"Problem({type(objective).__name__}(...)): a latent-variable model needs data=X.")
        return Latent(model=objective, data=data)
    if not callable(objective):
        raise TypeError(f"Problem(objective={objective!r}): give a function of x, or of (params, batch) with data.")
    return Function(fun=objective, data=data, stateful=stateful, has_aux=has_aux, keyed=takes_key(objective))


def _maximized(objective: Objective) -> Objective:
    """The objective of which the negative is minimized."""
    if not isinstance(objective, Function):
        name = type(objective).__name__
        raise TypeError(f"Problem({name}(...), maximize=True): only a function of x can be maximized; a {name} cannot.")
    return replace(objective, maximize=True)


def _check_bounds(nonsmooth: Any, bounds: Any, separable: bool) -> None:
    """Refuses bounds of the wrong kind, and a penalty that cannot go with them."""
    if bounds is not None and not isinstance(bounds, Bounds):
        raise TypeError(f"Problem(bounds={bounds!r}): write tw.Bounds(lower, upper) with one array a side.")
    if bounds is not None and not separable:
        raise ValueError(f"Problem(nonsmooth={nonsmooth!r}, bounds=...): its prox and a box do not compose: drop one.")


def _check_functions(**parts: Any) -> None:
    """Refuses what cannot be called."""
    for name, part in parts.items():
        if part is not None and not callable(part):
            raise TypeError(f"Problem({name}={part!r}): give a function.")


def _as_stream(data: Any) -> Stream | None:
    """Batches from elsewhere, where `data` is no tree of arrays."""
    if isinstance(data, Stream):
        return data
    return Stream(data) if is_streamable(data) else None


def _check_streams(stream: Stream | None, validation: Any, objective: Objective) -> None:
    """Refuses streams where they cannot be used."""
    if stream is not None and not isinstance(objective, Function):
        raise TypeError(f"Problem(data={stream!r}): only a loss, a mean over each batch, is minimized on a stream.")
    if isinstance(validation, Stream):
        if validation.once:
            raise TypeError(f"Problem(validation={validation!r}): a generator is read once; give a list or a loader.")
        validation.first()


def _check_data(name: str, data: Any, allow_nan: bool) -> Any:
    """Arrays with one common leading axis, put on the device once; one sentence where they are something else."""
    if data is None:
        return None
    if isinstance(data, list) and _is_batches(data):
        raise TypeError(f"{name} is a list of {len(data)} trees alike: for batches write {name}=tw.Stream(batches).")
    data = jax.tree.map(lambda leaf: leaf if is_array(leaf) else np.asarray(leaf), data)
    lengths = {}
    for path, leaf in tree_leaves_with_path(data):
        where = name + (f"[{leaf_name(path)}]" if path else "")
        if not is_numeric(leaf.dtype):
            raise TypeError(f"{where} has dtype {leaf.dtype}: give arrays of numbers.")
        if not allow_nan:
            _check_finite(where, leaf)
        if not leaf.shape:
            raise ValueError(f"{where} is a single number: data need a leading axis of examples.")
        lengths[where] = leaf.shape[0]
    if not lengths or 0 in lengths.values():
        raise ValueError(f"{name} is empty: give at least one example.")
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{where} has {n}" for where, n in lengths.items())
        raise ValueError(f"{name} has leaves of different lengths ({sizes}): the leading axis counts the examples.")
    return jax.tree.map(jnp.asarray, data)


def _is_batches(data: list) -> bool:
    """Whether the entries of a list look like batches: trees of one structure, not arrays that belong together."""
    alike = len({jax.tree.structure(one) for one in data}) == 1
    return alike and not jax.tree_util.all_leaves(data[:1])


def _check_finite(name: str, array: Any) -> None:
    """Refuses NaN and infinity, naming the first; arrays on an accelerator are left alone."""
    if not is_inexact(array) or is_tracer(array) or (isinstance(array, jax.Array) and _on_accelerator(array)):
        return
    found = first_nonfinite(array)
    if found is not None:
        place, entry = found
        where = "".join(f"[{i}]" for i in place)
        raise ValueError(
            f"{name}{where} is {entry}: drop or fill such entries, or pass Problem(..., allow_nan=True) if the "
            "loss masks them."
        )


def _on_accelerator(array: jax.Array) -> bool:
    """Whether reading the array would bring it back from a device."""
    return any(device.platform != "cpu" for device in array.devices())
