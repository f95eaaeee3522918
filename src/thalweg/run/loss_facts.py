"""One look at the loss before anything is compiled: is it a real number, what does it use, does it convolve?"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax.extend import core as jex
from jax.tree_util import tree_leaves_with_path

from thalweg.core.fields import is_tracer
from thalweg.core.jaxprs import holds
from thalweg.core.objective import Function, LeastSquares, check_call, name_of
from thalweg.core.problem import Problem
from thalweg.core.types import Params
from thalweg.core.variables import leaf_name

UNDER_TRANSFORM = (
    "minimize was called under jit, vmap or grad: it is the host's driver. There tw.solution differentiates the "
    "solution, tw.start and tw.iterate run the loop; many runs in one call are tw.minimize_batch."
)


class LossFacts(NamedTuple):
    """What is known of a loss.

    `unused`: names of parameters on which it does not depend. `convolves`: it contains a convolution. `straight`:
    neither a convolution nor a loop of unknown length, so its work can be counted.
    """

    unused: tuple[str, ...]
    convolves: bool
    straight: bool


def inspect_loss(problem: Problem, x: Params, data: Any) -> LossFacts:
    """Traces the loss once on `data`, or on the shapes of a batch, without compiling; misuse is an exception here."""
    objective = problem.objective
    fun = getattr(objective, "fun", None)
    name = name_of(fun) if fun is not None else type(objective).__name__
    if isinstance(objective, Function | LeastSquares):
        check_call(objective, data)

    def value(x, data):
        return objective.on(data, jax.random.key(0), objective.model_state).value(x)

    jaxpr = traced(f"The loss {name}", value, x, data)
    if any(is_tracer(const) for const in jaxpr.consts):
        raise TypeError(UNDER_TRANSFORM)
    for part, fun, values in (
        ("equality", problem.equality, problem.equalities),
        ("inequality", problem.inequality, problem.inequalities),
    ):
        if fun is not None:
            traced(f"The {part} constraint {name_of(fun)}", values, x)
    names = [leaf_name(path) for path, _ in tree_leaves_with_path(x)]
    used = _used_inputs(jaxpr.jaxpr)[: len(names)]
    unused = tuple(name for name, is_used in zip(names, used, strict=True) if not is_used)
    convolves = holds(jaxpr.jaxpr, "conv_general_dilated")
    return LossFacts(unused, convolves, not convolves and not holds(jaxpr.jaxpr, "while"))


def traced(who: str, function: Callable, *args: Any) -> Any:
    """The program of a user's function; one sentence where it cannot be traced."""
    try:
        return jax.make_jaxpr(function)(*args)
    except jax.errors.TracerArrayConversionError as error:
        raise TypeError(
            f"{who} turns a traced array into a NumPy array: write it with jax.numpy instead of numpy, arrays that it "
            "indexes included."
        ) from error
    except jax.errors.ConcretizationTypeError as error:
        raise TypeError(
            f"{who} needs a number's value while it is traced (an `if`, a loop bound, float(x)): "
            "use jnp.where, jax.lax.cond or jax.lax.fori_loop."
        ) from error


def _used_inputs(jaxpr: Any) -> list[bool]:
    """Which inputs some output depends on; looks into nested jitted functions."""
    needed = {v for v in jaxpr.outvars if not isinstance(v, jex.Literal)}
    for eqn in reversed(jaxpr.eqns):
        if not needed.isdisjoint(eqn.outvars):
            inner = eqn.params.get("jaxpr") if eqn.primitive.name in ("jit", "pjit") else None
            live = _used_inputs(inner.jaxpr) if inner is not None else [True] * len(eqn.invars)
            needed |= {v for v, u in zip(eqn.invars, live, strict=True) if u and not isinstance(v, jex.Literal)}
    return [v in needed for v in jaxpr.invars]
