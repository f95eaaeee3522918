"""What is smooth, on which data: a function, residuals, or a latent-variable model.

An objective is a deterministic function of the variables: data, random key and model state are bound to it
(`on`) before it is asked. A mini-batch is the same objective with smaller data.
"""

import abc
import inspect
from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp

from thalweg.core.fields import replace
from thalweg.core.oracle import Oracle
from thalweg.core.tree import displacement, dot, gather
from thalweg.core.types import Evaluation, Key, Params, Scalar
from thalweg.core.variables import is_array, is_inexact, rejoin, split

SMOOTH_ORACLES = frozenset({Oracle.VALUE, Oracle.GRADIENT, Oracle.HVP})
"""What every differentiable function offers."""
Residual = Callable[[Params, Params], Scalar]
"""The first-order residual at a point, from the gradient there; the parts around an objective have a share in it."""


class Objective(eqx.Module):
    """The smooth part of a problem.

    - `data`: the examples on which it is asked, a tree of arrays; None where there are none.
    - `frozen`: the leaves of the user's tree that are held fixed; None where every leaf is a variable.
    - `key`: the random key of one step. `model_state`: the running statistics of one step.
    """

    data: eqx.AbstractVar[Any]
    frozen: eqx.AbstractVar[Any]
    key: eqx.AbstractVar[Any]
    model_state: eqx.AbstractVar[Any]

    @property
    @abc.abstractmethod
    def offers(self) -> frozenset[Oracle]:
        """The oracles that this form of objective can answer."""

    @abc.abstractmethod
    def value(self, x: Params) -> Scalar:
        """The value at `x`."""

    @abc.abstractmethod
    def evaluate(self, x: Params) -> Evaluation:
        """Value, gradient, new model state and auxiliary output at `x`."""

    @abc.abstractmethod
    def revisit(self, seen: Evaluation) -> tuple[Evaluation, int]:
        """The evaluation at the point of an earlier one, perhaps of another function, and how many this takes."""

    @abc.abstractmethod
    def start(self, key: Key) -> Params:
        """The variables of a random start; a TypeError in one sentence where the objective has none to draw.

        Those that can draw one offer `Oracle.START`.
        """

    @abc.abstractmethod
    def optimality(self, x: Params, residual: Residual) -> Scalar:
        """How far `x` is from optimal: `residual` with the gradient at `x`, or what stands in its place."""

    def value_and_grad(self, x: Params) -> tuple[Scalar, Params]:
        """Value and gradient at `x`."""
        seen = self.evaluate(x)
        return seen.value, seen.grad

    def hvp(self, x: Params, v: Params) -> Params:
        """Hessian at `x` times `v`, forward over reverse: about two gradients' work, no matrix."""
        return jax.jvp(jax.grad(self.value), (x,), (v,))[1]

    def hessian(self, x: Params) -> Callable[[Params], Params]:
        """The Hessian at `x` as a function of `v`: the gradient is evaluated and linearized once, for many products."""
        return jax.linearize(jax.grad(self.value), x)[1]

    def on(self, data: Any, key: Key | None = None, model_state: Any = None) -> Self:
        """The same objective on other data, with the random key and model state of one step."""
        return replace(self, data=data, key=key, model_state=model_state)

    def at(self, rows: jax.Array) -> Self:
        """The same objective on the examples with these numbers: a term, or a mini-batch, of a finite sum."""
        return self.on(gather(self.data, rows), self.key, self.model_state)

    @property
    def examples(self) -> int:
        """Length of the data's leading axis; 0 without data, or where data are single numbers."""
        leaves = jax.tree.leaves(self.data)
        return int(leaves[0].shape[0]) if leaves and leaves[0].shape else 0


def _evaluate_call(call: Callable, x: Params) -> Evaluation:
    """Value and gradient of `call(x) -> (value, (model_state, aux))` in one pass."""
    (value, (model_state, aux)), grad = jax.value_and_grad(call, has_aux=True)(x)
    return Evaluation(x, value, grad, model_state, aux)


def _no_start(objective: Objective) -> Params:
    """Refuses to draw a start."""
    kind = type(objective).__name__
    raise TypeError(f"x0 is missing; only a latent-variable model draws its own start, and a {kind} has none: pass x0.")


def takes_key(fun: Callable) -> bool:
    """Whether `fun` names a parameter `key` (the loss is then random, dropout for instance)."""
    try:
        return "key" in inspect.signature(fun).parameters
    except (TypeError, ValueError):
        return False


class Function(Objective):
    r"""A user's loss: `fun(x)`, `fun(x, batch)`, either with `key`, either with `model_state`.

    - `fun`: the loss itself.
    - `data`: tree of arrays with a common leading axis; the loss is the mean over it. None: `fun(x)`.
    - `frozen`, `key`, `model_state`: as in `Objective`.
    - `stateful`: `fun(x, model_state, batch[, key]) -> (value, model_state)`, for running statistics.
    - `keyed`: `fun` takes the step's random key as `key=`.
    - `has_aux`: `fun` returns `(value, aux)` with `aux` a dict of scalars, which the trace records
      (with `stateful`: `(value, (model_state, aux))`).
    - `maximize`: what is minimized is `-fun`.
    """

    fun: Callable
    data: Any = None
    frozen: Any = None
    key: Any = None
    model_state: Any = None
    stateful: bool = False
    has_aux: bool = False
    keyed: bool = False
    maximize: bool = False

    @property
    def offers(self) -> frozenset[Oracle]:
        """What this form of objective can answer, in terms of `Oracle`."""
        extra = {Oracle.FINITE_SUM} if self.data is not None else set()
        extra |= {Oracle.KEY} if self.keyed else set()
        extra |= {Oracle.MODEL_STATE} if self.stateful else set()
        return SMOOTH_ORACLES | extra

    def call(self, x: Params) -> tuple[Scalar, tuple[Any, Any]]:
        """`(value, (model_state, aux))` at the variables `x`, rejoined with what is held fixed."""
        # Rebuilt trees: a mutable node (a Flax variable) must belong to the trace in which it is read.
        args = [rejoin(x, self.frozen)]
        args += [jax.tree.map(lambda a: a, self.model_state)] if self.stateful else []
        args += [self.data] if self.data is not None else []
        out = self.fun(*args, **({"key": self.key} if self.keyed else {}))
        value, model_state, aux = self.unpack(out)
        value = _check_scalar(value, self.fun)
        return -value if self.maximize else value, (model_state, aux)

    def unpack(self, out: Any) -> tuple[Any, Any, Any]:
        """`(value, model_state, aux)` from what `fun` returned."""
        if not self.stateful and not self.has_aux:
            return out, None, None
        if not isinstance(out, tuple) or len(out) != 2:
            form = "(value, model_state)" if self.stateful else "(value, aux)"
            raise TypeError(f"The loss {name_of(self.fun)} must return {form}, and it returned {type_and_shape(out)}.")
        if self.stateful and self.has_aux:
            return out[0], *out[1]
        return (*out, None) if self.stateful else (out[0], None, out[1])

    def value(self, x: Params) -> Scalar:
        """The value of `fun` at `x`, or `-fun` where it is maximized."""
        return self.call(x)[0]

    def evaluate(self, x: Params) -> Evaluation:
        """The value and its gradient at `x`."""
        return _evaluate_call(self.call, x)

    def revisit(self, seen: Evaluation) -> tuple[Evaluation, int]:
        """The evaluation is made again."""
        return self.evaluate(seen.x), 1

    def start(self, key: Key) -> Params:
        """A function of given variables has no start of its own: a TypeError."""
        return _no_start(self)

    def optimality(self, x: Params, residual: Residual) -> Scalar:
        """The residual with the gradient at `x`."""
        return residual(x, self.evaluate(x).grad)


class LeastSquares(Objective):
    r"""Residuals `r(x)` or `r(x, data)`: the value is \(\tfrac12\|r(x)\|^2\).

    - `residuals`: a function that returns an array, or a tree of arrays, of any shape. A complex residual counts by its
      modulus: its real and its imaginary part are residuals of their own.
    - `data`: passed to it as a second argument; None: `residuals(x)`.
    - `frozen`, `key`, `model_state`: as in `Objective`; residuals take no key and no model state.
    """

    residuals: Callable
    data: Any = None
    frozen: Any = None
    key: Any = None
    model_state: Any = None

    @property
    def offers(self) -> frozenset[Oracle]:
        """What this form of objective can answer, in terms of `Oracle`."""
        return SMOOTH_ORACLES | {Oracle.RESIDUALS}

    def residual(self, x: Params) -> Params:
        """The residuals at `x`; of complex ones the real and the imaginary parts."""
        args = () if self.data is None else (self.data,)
        out = self.residuals(rejoin(x, self.frozen), *args)
        leaves = jax.tree.leaves(out)
        if not leaves or not all(is_inexact(leaf) for leaf in leaves):
            raise TypeError(
                f"LeastSquares(residuals={name_of(self.residuals)}) must return floating-point arrays, and it "
                f"returned {type_and_shape(out)}: return the residuals themselves, not their sum of squares."
            )
        return jax.tree.map(_real_parts, out)

    def value(self, x: Params) -> Scalar:
        """Half the squared norm of the residuals."""
        residual = self.residual(x)
        return 0.5 * dot(residual, residual)

    def evaluate(self, x: Params) -> Evaluation:
        """Value and gradient `J'r` at `x`, in one pass."""
        return _evaluate_call(lambda x: (self.value(x), (None, None)), x)

    def revisit(self, seen: Evaluation) -> tuple[Evaluation, int]:
        """The evaluation is made again."""
        return self.evaluate(seen.x), 1

    def start(self, key: Key) -> Params:
        """A function of given variables has no start of its own: a TypeError."""
        return _no_start(self)

    def optimality(self, x: Params, residual: Residual) -> Scalar:
        """The residual with the gradient at `x`."""
        return residual(x, self.evaluate(x).grad)


def _real_parts(residual: jax.Array) -> jax.Array:
    """A real array as it is; the real and the imaginary part of a complex one along a new first axis."""
    return jnp.stack([residual.real, residual.imag]) if jnp.iscomplexobj(residual) else residual


class LatentModel(eqx.Module):
    """A model with hidden variables, as EM needs it.

    Its parameters may live on any set (a simplex, a cone of matrices) that `init` and `maximize` keep them in.
    """

    @abc.abstractmethod
    def init(self, key: Key, data: Any) -> Params:
        """Random starting parameters for `data`."""

    @abc.abstractmethod
    def log_likelihood(self, params: Params, data: Any) -> jax.Array:
        """Log-likelihood of every example, shape `(n,)`."""

    @abc.abstractmethod
    def expect(self, params: Params, data: Any) -> tuple[Scalar, Any]:
        """E step: the mean log-likelihood at `params`, and the expected sufficient statistics, in one pass."""

    @abc.abstractmethod
    def maximize(self, statistics: Any) -> Params:
        """M step: the parameters that maximize the expected log-likelihood."""


class Latent(Objective):
    """Mean negative log-likelihood of a latent-variable model on data.

    It offers no gradient, because a gradient step would leave the set on which the parameters live. For a model with
    free parameters write the loss out: `tw.Problem(lambda p, X: -jnp.mean(model.log_likelihood(p, X)), X)`.

    - `model`: a `LatentModel`. `data`: its examples.
    - `frozen`, `key`, `model_state`: as in `Objective`.
    """

    model: LatentModel
    data: Any = None
    frozen: Any = None
    key: Any = None
    model_state: Any = None

    @property
    def offers(self) -> frozenset[Oracle]:
        """What this form of objective can answer, in terms of `Oracle`."""
        return frozenset({Oracle.VALUE, Oracle.FINITE_SUM, Oracle.LATENT, Oracle.START})

    def value(self, x: Params) -> Scalar:
        """The mean negative log-likelihood `-mean_i log p(data_i; x)`."""
        return -jnp.mean(self.model.log_likelihood(rejoin(x, self.frozen), self.data))

    def evaluate(self, x: Params) -> Evaluation:
        """Value and gradient at `x`."""
        return _evaluate_call(lambda x: (self.value(x), (None, None)), x)

    def revisit(self, seen: Evaluation) -> tuple[Evaluation, int]:
        """The evaluation is made again."""
        return self.evaluate(seen.x), 1

    def start(self, key: Key) -> Params:
        """Parameters that the model draws, without what is no variable among them."""
        return split(self.model.init(key, self.data))[0]

    def optimality(self, x: Params, residual: Residual) -> Scalar:
        """How far one E and one M step move `x`: a gradient says nothing of parameters that live on a set."""
        return displacement(x, self.improve(x)[1])

    def improve(self, x: Params) -> tuple[Scalar, Params]:
        """The value at `x`, and the point to which one E and one M step lead; one pass over the data."""
        log_likelihood, statistics = self.model.expect(rejoin(x, self.frozen), self.data)
        after = split(self.model.maximize(statistics))[0]
        return -log_likelihood, jax.tree.map(lambda new, old: new.astype(old.dtype), after, x)


def check_call(objective: Function | LeastSquares, data: Any) -> None:
    """Refuses a function that takes other arguments than it gets: the variables, a model state, a batch of `data`."""
    is_loss = isinstance(objective, Function)
    fun = objective.fun if is_loss else objective.residuals
    stateful, keyed = (objective.stateful, objective.keyed) if is_loss else (False, False)
    names = ["x", *["model_state"] * stateful, *["batch"] * (data is not None)]
    try:
        signature = inspect.signature(fun)
    except (TypeError, ValueError):  # of a built-in nothing is known
        return
    try:
        signature.bind(*names, **({"key": None} if keyed else {}))
    except TypeError as error:
        name = name_of(fun)
        cure = "with data it gets the variables and a batch, no more and no less"
        if data is None:
            cure = f"Problem({name}, data=...) adds a batch of data, and lambda x: {name}(x, ...) binds constants"
        raise TypeError(f"{name}{signature} is called as {name}({', '.join(names)}): {error}; {cure}.") from None


def name_of(fun: Callable) -> str:
    """The name under which a user knows `fun`."""
    return getattr(fun, "__name__", type(fun).__name__)


def type_and_shape(value: Any) -> str:
    """Type, dtype and shape of an array; the type of anything else."""
    if is_array(value):
        return f"an array of shape {tuple(value.shape)} and dtype {value.dtype}"
    return f"a {type(value).__name__}"


def _check_scalar(value: Any, fun: Callable) -> Scalar:
    """A loss must be one real number; says what it was instead."""
    cures = {
        "c": "return its real part or modulus",
        "i": "return a float",
        "u": "return a float",
        "b": "return a float",
    }
    if not isinstance(value, (float, int, complex)) and not is_array(value):
        hint = " (for auxiliary output pass has_aux=True)" if isinstance(value, tuple) else ""
        raise TypeError(
            f"The loss {name_of(fun)} must return one real number, and it returned {type_and_shape(value)}{hint}."
        )
    value = jnp.asarray(value)
    if value.shape != ():
        raise TypeError(
            f"The loss {name_of(fun)} must return one number, and it returned {type_and_shape(value)}: take its mean."
        )
    if not jnp.issubdtype(value.dtype, jnp.floating):
        cure = cures.get(value.dtype.kind, "return a float")
        raise TypeError(
            f"The loss {name_of(fun)} must return a real number, and it returned {type_and_shape(value)}: {cure}."
        )
    return value
