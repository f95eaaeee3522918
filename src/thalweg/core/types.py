"""The values that flow between the parts: plain named tuples, without behavior."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.status import Status

Params = Any  # a pytree whose floating-point array leaves are the variables
State = Any
Scalar = jax.Array
ScalarLike = Any  # a scalar array, or a number of Python or NumPy
Key = jax.Array
_DOUBLE, _SINGLE = np.dtype(np.float64), np.dtype(np.float32)


class Evals(NamedTuple):
    """How often each oracle was called, and how many data examples those calls read.

    - `value`, `gradient`: one `value_and_grad` counts one of each. `hvp`: Hessian-vector products. `prox`: proximal
      steps and projections. `examples`: data examples read.
    """

    value: Any = 0
    gradient: Any = 0
    hvp: Any = 0
    prox: Any = 0
    examples: Any = 0


def together(*parts: Evals) -> Evals:
    """Counts added up."""
    return Evals(*map(sum, zip(*parts, strict=True)))


class Evaluation(NamedTuple):
    """The smooth part at one point: the point goes with its value, so that the two are never confused.

    - `x`: the point. `value`, `grad`: value and gradient there. `model_state`: the new running statistics of a
      stateful loss. `aux`: what the loss returned beside its value.
    """

    x: Params
    value: Scalar
    grad: Params
    model_state: Any = None
    aux: Any = None


class Info(NamedTuple):
    """What one step reports. Every field describes `x_t`, the point from which the step started.

    - `value`: of the objective, nonsmooth part included. `optimality`: the largest entry of the gradient (or of the
      residual that plays its part) in absolute value. Both are NaN where the method does not measure them.
    - `infeasibility`: the largest violation of a constraint. `step_size`: the learning rate, or the step of a search.
    - `evals`: the oracles called in this step. `status`: RUNNING, or why the method cannot go on.
    - `aux`: what the loss returned beside its value. `extra`: what the method adds, by name.
    """

    value: Scalar
    optimality: Scalar
    infeasibility: Scalar
    step_size: Scalar
    evals: Evals
    status: Scalar
    aux: Any = None
    extra: Any = None


class Step(NamedTuple):
    """What `Solver.step` returns.

    - `state`: the next state. `info`: about the point from which the step started. `seen`: the evaluation that `info`
      describes; None where the method made none.
    """

    state: State
    info: Info
    seen: Evaluation | None = None


def widest() -> Any:
    """The dtype of the widest float in use; `jnp.result_type(float)` says the same in 5 us, many times a run."""
    return _DOUBLE if jax.config.jax_enable_x64 else _SINGLE  # pyright: ignore[reportAttributeAccessIssue]


def real(value: ScalarLike) -> Scalar:
    """`value` as a scalar of the widest float in use (float64 under x64, float32 otherwise)."""
    return jnp.asarray(value).astype(widest())


def make_info(
    value: ScalarLike,
    optimality: ScalarLike = jnp.nan,
    infeasibility: ScalarLike = 0.0,
    step_size: ScalarLike = jnp.nan,
    *,
    evals: Evals = Evals(),
    status: ScalarLike = Status.RUNNING,
    aux: Any = None,
    extra: Any = None,
) -> Info:
    """An `Info` with every array in its own fixed dtype, so that no method can cause a second compilation.

    Python numbers stay what they are: they are the same at every step, and the trace does not store them.

    - `value`, `optimality`, `infeasibility`, `step_size`, `evals`, `status`, `aux`, `extra`: the fields of `Info`; a
      plain NaN says that the method does not measure it.
    """
    return Info(
        value if is_number(value) else real(value),
        optimality if is_number(optimality) else real(optimality),
        infeasibility if is_number(infeasibility) else real(infeasibility),
        step_size if is_number(step_size) else real(step_size),
        Evals(*(n if is_number(n) else jnp.asarray(n).astype(jnp.int32) for n in evals)),
        jnp.asarray(status).astype(jnp.int32),
        aux,
        extra,
    )


def is_number(value: ScalarLike) -> bool:
    """Whether `value` is a plain Python number."""
    return isinstance(value, (int, float))
