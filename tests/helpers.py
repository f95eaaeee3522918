"""What many tests share: the iterates of a method, counters of compilations and of evaluations, tolerances."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import equinox as eqx
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.core.compiled import program
from thalweg.core.duration import Duration
from thalweg.problems import ZOO, Known

X64 = jax.config.jax_enable_x64
EPS = float(np.finfo(np.float64 if X64 else np.float32).eps)
COMPILED = "/jax/core/compile/backend_compile_duration"

ROWS = tuple(tw.METHODS)
"""Names of the registry's rows, the parameters of the battery."""


def needing(*oracles: tw.Oracle) -> tuple[str, ...]:
    """The rows whose method needs one of these."""
    return tuple(name for name, row in tw.METHODS.items() if row.solver().needs & set(oracles))


LATENT = needing(tw.Oracle.LATENT)
FINITE_SUM = needing(tw.Oracle.FINITE_SUM)
RESIDUALS = needing(tw.Oracle.RESIDUALS)
ON_FUNCTIONS = tuple(name for name in ROWS if name not in LATENT)
"""Methods that minimize any function: the battery chooses it."""
REPRESENTATIVE = tuple(
    name for name in ON_FUNCTIONS if name in ("sgd", "adam") or not isinstance(tw.METHODS[name].example(""), tw.Rule)
)
"""The same solver stands around every rule: what it evaluates and counts is tested with two of them."""
CERTIFYING = needing(tw.Oracle.GRADIENT, tw.Oracle.LATENT)
"""Methods that report a residual, and so can end with CONVERGED."""


def until(name: str, tolerance: float) -> tw.Stop:
    """A test that the method can pass: of its residual, or of the value where it reports none."""
    return tw.GradNorm(tolerance) if name in CERTIFYING else tw.Target(tolerance)


@contextlib.contextmanager
def compilations() -> Iterator[list[str]]:
    """The names of the programs that the backend compiles inside the block, as a list that grows."""
    names: list[str] = []

    def listen(event: str, duration: float, **details: Any) -> None:
        if event == COMPILED:
            names.append(details.get("fun_name", "?"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


class Counted:
    """A loss that counts its executions (not its traces); the gradient's forward pass is one execution."""

    def __init__(self, fun: Callable):
        self.fun, self.executions, self.traces = fun, 0, 0

    def __call__(self, x: Any) -> jax.Array:
        self.traces += 1
        jax.debug.callback(self.executed)
        return self.fun(x)

    def executed(self) -> None:
        self.executions += 1

    @property
    def count(self) -> int:
        """Executions up to now."""
        jax.effects_barrier()
        return self.executions


def half_square(x: Any) -> jax.Array:
    """Half the squared distance of every leaf from 1, with curvatures 1, 2, 3, ... along its entries."""
    return total(lambda leaf: weights(leaf) * (leaf - 1) ** 2 / 2, x)


def quartic(x: Any) -> jax.Array:
    """The fourth power instead: no method is done with it in twenty steps."""
    return total(lambda leaf: weights(leaf) * (leaf - 1) ** 4 / 4, x)


def posed(name: str, fun: Callable) -> tw.Problem:
    """`fun` as a problem that the method takes: a mean over examples or the square of a residual, where it needs one.

    A latent-variable model has a likelihood of its own, whatever `fun` is; its variables are any tree too.
    """
    return posed_for(next((needed for needed in PARTICULAR if needed in solver(name).needs), None), fun)


PARTICULAR = (tw.Oracle.LATENT, tw.Oracle.RESIDUALS, tw.Oracle.FINITE_SUM)
"""What a plain function does not offer."""


@functools.cache
def posed_for(needed: tw.Oracle | None, fun: Callable) -> tw.Problem:
    """The same problem for all methods with one need, so that what is asked of the problem alone is compiled once."""
    if needed is tw.Oracle.LATENT:
        return tw.Problem(NoisyMean(), DATA)
    if needed is tw.Oracle.RESIDUALS:
        return tw.Problem(tw.LeastSquares(lambda x: jnp.sqrt(2 * fun(x))))
    if needed is tw.Oracle.FINITE_SUM:
        return tw.Problem(lambda x, batch: (value := fun(x)) * jnp.mean(batch).astype(value.dtype), DATA)
    return tw.Problem(fun)


DATA = np.asarray([0.5, 1.5, 0.75, 1.25, 1.0, 1.0, 1.0])
"""Seven examples whose mean is 1."""


class NoisyMean(tw.LatentModel):
    """Every example is the parameters plus a hidden and a visible noise of variance 1: EM halves the distance."""

    def init(self, key, data):
        """Anywhere."""
        return jax.random.normal(key, (3,), data.dtype)

    def log_likelihood(self, params, data):
        """Of every entry of every leaf, added up: normal with variance 2."""
        return sum(
            jnp.sum(-((data.reshape(-1, 1).astype(leaf.dtype) - leaf.reshape(1, -1)) ** 2) / 4, axis=1)
            for leaf in jax.tree.leaves(params)
        )

    def expect(self, params, data):
        """Half of what is seen beyond the parameters is expected to be hidden noise."""
        half = jax.tree.map(lambda leaf: leaf + 0.5 * (jnp.mean(data).astype(leaf.dtype) - leaf), params)
        return jnp.mean(self.log_likelihood(params, data)), half

    def maximize(self, statistics):
        """The expected mean itself."""
        return statistics


def total(fun: Callable, x: Any) -> jax.Array:
    """The sum over all floating-point leaves, in the widest dtype among them."""
    leaves = [leaf for leaf in jax.tree.leaves(x) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    widest = max((leaf.dtype for leaf in leaves), key=lambda dtype: jnp.finfo(dtype).bits)
    return sum(jnp.sum(fun(leaf)).astype(widest) for leaf in leaves)


def weights(leaf: jax.Array) -> jax.Array:
    """1, 2, 3, ... in the leaf's shape and dtype."""
    return jnp.arange(1, leaf.size + 1, dtype=leaf.dtype).reshape(leaf.shape)


def iterates(problem: tw.Problem, solver: tw.Solver, x0: Any, steps: int) -> Any:
    """`x_0, ..., x_steps` along a new leading axis, by the public pure functions, one step a call.

    A method with other numbers on the same problem is the same program.
    """
    return at_once(walk, problem, solver, x0, steps)


def at_once(function: Callable, *args: Any) -> Any:
    """`function(*args)` as one program, kept for arguments like these: each eager operation would be one of its own."""
    found, dynamic = program(function, *args)
    return found.call(dynamic)


@functools.cache
def zoo(name: str) -> Known:
    """A problem of the zoo, the same one every time, so that its programs are compiled once."""
    return ZOO[name]()


def sampled(names: Iterable[str], first: Collection[str]) -> list[Any]:
    """Parameters of a test: those in `first` belong to both tiers, the others to the second one alone."""
    return [name if name in first else pytest.param(name, marks=pytest.mark.thorough) for name in names]


def examples(number: int, quick: int | None = None) -> int:
    """So many examples of a property in the second tier; in the first `quick`, or at most the profile's own number."""
    few = hypothesis.settings.get_current_profile_name() == "quick"
    return min(number, quick or hypothesis.settings.default.max_examples) if few else number


def walk(problem: tw.Problem, solver: tw.Solver, x0: Any, steps: int) -> Any:
    """See `iterates`."""
    stop, key = tw.Never(), jax.random.key(0)

    def one(carry, _):
        after, _ = tw.iterate(problem, solver, carry, stop, key, capacity=1)
        return after, carry.state.x

    return jax.lax.scan(one, tw.start(problem, solver, x0, stop), length=steps + 1)[1]


def solver(name: str, problem: str = "") -> tw.Solver:
    """A registry row's example."""
    return tw.METHODS[name].solver(problem)


def numbers(module: eqx.Module) -> dict[str, Any]:
    """Every hyperparameter by its field's name, those of nested modules included."""
    if isinstance(module, tw.Partition):
        return numbers(module.rules[0])
    out = {}
    for field in dataclasses.fields(module):
        value = getattr(module, field.name)
        value = value.steps if isinstance(value, Duration) else value
        schedule = isinstance(value, tw.schedules.Schedule)
        out |= numbers(value) if isinstance(value, eqx.Module) and not schedule else {field.name: value}
    return out


def assert_same(a: Any, b: Any) -> None:
    """Equal bit for bit, with equal structures and dtypes."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.asarray(p).dtype == np.asarray(q).dtype
        np.testing.assert_array_equal(np.asarray(p), np.asarray(q))


def assert_close(a: Any, b: Any, rtol: float) -> None:
    """Equal structures; every leaf within `rtol` of its largest entry."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        p, q = np.asarray(p, float), np.asarray(q, float)
        np.testing.assert_allclose(p, q, rtol=rtol, atol=rtol * np.abs(q).max(initial=0))


def tol(double: float, single: float) -> float:
    """A tolerance for float64, and one for float32."""
    return double if X64 else single
