"""Misuse: one sentence naming field, value and cure, before anything is compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import compilations, sampled


def bowl(x):
    """The sum of squares over all leaves."""
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(x))


def refuse(error, match, call):
    """The call raises the sentence and compiles nothing."""
    with compilations() as programs, pytest.raises(error, match=match):
        call()
    assert [p for p in programs if "flat" in p] == []


# Row 12: hyperparameters out of range.


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: tw.SGD(-1.0), r"SGD\(learning_rate=-1.0\).*>= 0"),
        (lambda: tw.SGD(float("nan")), "learning_rate=nan"),
        (lambda: tw.SGD(float("inf")), "learning_rate=inf"),
        (lambda: tw.SGD(True), "learning_rate=True"),
        (lambda: tw.SGD("fast"), "learning_rate='fast'"),
        (lambda: tw.SGD(np.array([0.1, -0.1])), "learning_rate"),
        (lambda: tw.Adam(b1=1.0), r"b1 must be in \[0, 1\)"),
        (lambda: tw.Adam(b2=-0.1), r"b2 must be in \[0, 1\)"),
        (lambda: tw.Adam(eps=-1e-8), "eps must be"),
        (lambda: tw.Adam(b1=jnp.asarray([0.9, 1.0])), "b1"),
        (lambda: tw.LBFGS(memory=0), r"LBFGS\(memory=0\).*whole number >= 1"),
        (lambda: tw.LBFGS(memory=2.5), "memory=2.5"),
        (lambda: tw.Steps(0), "count=0"),
        (lambda: tw.Steps(-3), "count=-3"),
        (lambda: tw.Steps(2.5), "count=2.5"),
        (lambda: tw.Epochs(0), "count=0"),
        (lambda: tw.Patience(0), "count=0"),
        (lambda: tw.GradNorm(-1e-3), "tolerance=-0.001"),
        (lambda: tw.Seconds(0), "seconds=0"),
        (lambda: tw.schedules.Constant(-1.0), "value=-1"),
        (lambda: tw.schedules.WarmupCosine(-0.1), "peak=-0.1"),
        (lambda: tw.schedules.WarmupCosine(0.1, final=2.0), "final=2"),
        (lambda: tw.schedules.WarmupCosine(0.1, warmup=100, steps=50), "warm-up must be shorter"),
        (lambda: tw.schedules.WarmupCosine(0.1, warmup=None), "warmup=None"),
        (lambda: tw.L1(-1.0), "weight=-1"),
        (lambda: tw.FISTA(step_size=0.0), "step_size=0"),
        (lambda: tw.FISTA(growth=0.5), "growth=0.5"),
        (lambda: tw.line_search.Backtracking(decrease=1.0), "decrease=1"),
        (lambda: tw.line_search.Backtracking(slope=0.5), "slope=0.5"),
        (lambda: tw.line_search.StrongWolfe(slope=0.3, curvature=0.2), "curvature=0.2"),
        (lambda: tw.Every(0, print), "every=0"),
    ],
)
def test_hyperparameters_out_of_range(make, match):
    refuse((ValueError, TypeError), match, make)


def on_data(x, batch, weight):
    """A loss with a parameter too many."""
    return weight * jnp.sum(x * batch)


@pytest.mark.parametrize(
    ("problem", "match"),
    [
        (lambda x, b: jnp.sum(x * b), r"called as <lambda>\(x\).*'b'.*data="),
        (tw.Problem(bowl, np.ones((3, 2))), r"bowl\(x\) is called as bowl\(x, batch\).*no more"),
        (tw.Problem(on_data, np.ones((3, 2))), r"on_data\(x, batch, weight\) is called.*'weight'"),
        (tw.Problem(tw.LeastSquares(lambda p, t: p * t)), r"called as <lambda>\(x\).*'t'"),
        (lambda: 0.0, r"<lambda>\(\) is called as <lambda>\(x\)"),
    ],
)
def test_a_loss_that_takes_other_arguments(problem, match):
    refuse(TypeError, match, lambda: tw.minimize(problem, jnp.ones(2)))


def test_a_sweep_of_valid_values_is_accepted():
    assert tw.SGD(np.array([0.1, 0.2])).learning_rate.shape == (2,)


# Row 10: the kinds of x0.


@pytest.mark.parametrize(
    ("x0", "match"),
    [
        ([1.0, 2.0], r"write jnp.array\(\[1.0, 2.0\]\)"),
        (3, "holds no floating-point array"),
        ({}, "holds no floating-point array"),
        (np.array([1, 2]), "holds no floating-point array"),
        (np.array([True]), "holds no floating-point array"),
        (np.array([1j]), "is complex"),
        ({"a": 1.0, "b": np.ones(2)}, r"x0\['a'\]=1.0 is a Python number"),
        (None, "x0 is missing"),
    ],
)
def test_starts_that_cannot_be_optimized(x0, match):
    refuse((TypeError, ValueError), match, lambda: tw.minimize(bowl, x0))


STARTS = {
    "n=0": np.zeros(0),
    "n=1": np.ones(1),
    "numpy scalar": np.float64(2.0),
    "python float": 2.0,
    "None leaf": {"a": None, "b": np.ones(2)},
    "empty leaf": {"a": np.zeros((0, 3)), "b": np.ones(2)},
    "Fortran order": np.asfortranarray(np.ones((3, 2))),
    "nested": (np.ones(2, np.float32), [np.ones(1, np.float32)]),
}


@pytest.mark.parametrize("start", sampled(STARTS, ["n=0", "python float", "empty leaf"]))
def test_starts_that_can(start):
    x0 = STARTS[start]
    result = tw.minimize(bowl, x0)
    assert result.ok
    assert all(np.allclose(leaf, 0, atol=1e-3) for leaf in jax.tree.leaves(result.x))
    assert jax.tree.structure(result.x) == jax.tree.structure(x0) or isinstance(x0, float)


def test_the_input_is_never_changed():
    x0 = np.ones(3)
    x0.flags.writeable = False
    kept = {"w": x0, "b": np.ones(2), "device": jnp.ones(3)}
    tw.minimize(bowl, kept)
    for leaf in kept.values():
        np.testing.assert_array_equal(leaf, 1.0)


# The loss.


@pytest.mark.parametrize(
    ("loss", "match"),
    [
        (lambda x: x**2, r"must return one number.*shape \(2,\).*mean"),
        (lambda x: jax.lax.complex(jnp.sum(x), jnp.sum(x)), "real number.*real part"),
        (lambda x: jnp.sum(x).astype(int), "real number.*return a float"),
        (lambda x: jnp.sum(x) > 0, "real number.*return a float"),
        (lambda x: (jnp.sum(x), 1), "has_aux=True"),
        (lambda x: None, "returned a NoneType"),
        (lambda x: np.sum(np.sin(np.asarray(x))), "jax.numpy instead of numpy"),
        (lambda x: x[0] if x[0] > 0 else -x[0], "jnp.where"),
    ],
)
def test_losses_that_cannot_be_minimized(loss, match):
    refuse(TypeError, match, lambda: tw.minimize(loss, jnp.ones(2)))


def test_unused_parameters_are_listed():
    x0 = {"a": jnp.ones(2), "b": jnp.ones(3), "c": {"d": jnp.ones(1)}}

    def loss(p):
        return jnp.sum(p["a"] ** 2)

    refuse(ValueError, r"does not use the parameters b, c/d", lambda: tw.minimize(loss, x0))
    assert tw.minimize(tw.Problem(loss, allow_unused=True), x0).ok


def test_a_parameter_used_inside_a_jitted_function_counts_as_used():
    inner = jax.jit(lambda p: jnp.sum(p["a"] ** 2) + 0.0 * jnp.sum(p["a"]))
    with pytest.raises(ValueError, match="parameters b"):
        tw.minimize(inner, {"a": jnp.ones(2), "b": jnp.ones(2)})


# What a method needs, and what it would ignore.


@pytest.mark.parametrize(
    ("problem", "method", "match"),
    [
        (tw.Problem(bowl, nonsmooth=tw.L1(0.01)), tw.Adam(), r"Adam would ignore nonsmooth=L1.*fit: FISTA"),
        (
            tw.Problem(bowl, bounds=tw.Bounds(0.0, 1.0)),
            tw.LBFGS(),
            r"LBFGS would ignore bounds.*fit: LBFGSB, Proj",
        ),
        (tw.Problem(bowl, equality=lambda x: x[0]), tw.LBFGS(), "would ignore equality"),
        (
            tw.Problem(lambda x, key: bowl(x), equality=lambda x: x[0]),
            None,
            "No method here solves a problem with a loss with a random key, equality",
        ),
        (
            tw.Problem(lambda x, key: bowl(x)),
            tw.LBFGS(),
            "needs the same function.*which a loss with a random key changes.*fit: Adam, AdamW, Momentum",
        ),
        (tw.Problem(lambda x, key: bowl(x)), None, "say how long"),
    ],
)
def test_methods_that_do_not_fit(problem, method, match):
    refuse(ValueError, match, lambda: tw.minimize(problem, jnp.ones(2), method))


@pytest.mark.parametrize(
    ("method", "match"),
    [("lbgfs", r"pass the method itself, e.g. tw.LBFGS\(\)"), (tw.Adam, "not configured"), (3, "not a rule")],
)
def test_methods_that_are_none(method, match):
    refuse(TypeError, match, lambda: tw.minimize(bowl, jnp.ones(2), method))


def test_minimize_belongs_to_the_host():
    with pytest.raises(TypeError, match=r"tw.iterate"):
        jax.jit(lambda x: tw.minimize(bowl, x).x)(jnp.ones(2))
    with pytest.raises(TypeError, match=r"tw.iterate"):
        jax.vmap(lambda x: tw.minimize(bowl, x).x)(jnp.ones((2, 2)))
    with pytest.raises(TypeError, match=r"tw.iterate"):
        jax.grad(lambda a: tw.minimize(lambda x: jnp.sum((x - a) ** 2), jnp.ones(2)).value)(1.0)


# The problem.


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: tw.Problem(3), "objective=3"),
        (lambda: tw.Problem(bowl, (np.ones(3), np.ones(4))), r"different lengths .*data\[0\] has 3"),
        (lambda: tw.Problem(bowl, np.ones((0, 3))), "data is empty"),
        (lambda: tw.Problem(bowl, 3.0), "leading axis"),
        (lambda: tw.Problem(bowl, np.array(["a", None])), "dtype object"),
        (lambda: tw.Problem(bowl, nonsmooth=0.1), "nonsmooth=0.1"),
        (lambda: tw.Problem(bowl, bounds=(0, 1)), "tw.Bounds"),
        (lambda: tw.Problem(bowl, equality=1.0), "equality=1.0"),
        (lambda: tw.Bounds(2.0, 1.0), "lower=2.0 > upper=1.0"),
        (lambda: tw.Bounds(np.nan, 1.0), "NaN"),
        (lambda: tw.Bounds([(0, 1), (0, 1)]), "SciPy"),
    ],
)
def test_problems_that_cannot_be(make, match):
    refuse((TypeError, ValueError), match, make)


def test_bounds_of_another_structure_are_refused():
    problem = tw.Problem(bowl, bounds=tw.Bounds({"a": 0.0}, {"a": 1.0}))
    refuse(ValueError, "structure", lambda: tw.minimize(problem, {"b": jnp.ones(2)}))


@pytest.mark.thorough
def test_equal_bounds_fix_an_entry_and_a_start_outside_is_projected():
    problem = tw.Problem(
        lambda x: jnp.sum((x - 2.0) ** 2), bounds=tw.Bounds(np.array([0.5, -1.0]), np.array([0.5, 1.0]))
    )
    result = tw.minimize(problem, jnp.asarray([5.0, 5.0]))
    np.testing.assert_allclose(result.x, [0.5, 1.0])
    assert result.infeasibility == 0.0


# The options.


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_size": 8}, "batch_size=8"),
        ({"keep": "first"}, "keep='first'"),
        ({"restarts": 0}, "restarts=0"),
        ({"chunk": 0}, "chunk=0"),
        ({"dispatch": "never"}, "dispatch='never'"),
        ({"on_failure": "shout"}, "on_failure='shout'"),
        ({"stop": 100}, "stop=100"),
        ({"stop": tw.Epochs(3)}, "needs data"),
        ({"validate_every": 0}, "validate_every=0"),
        ({"model_state": jnp.zeros(1)}, "stateful=True"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1.5}, "seed=1.5"),
    ],
)
def test_options_out_of_range(options, match):
    refuse((TypeError, ValueError), match, lambda: tw.minimize(bowl, jnp.ones(2), **options))


def test_restarts_do_not_go_with_what_watches_one_run():
    refuse(ValueError, "restarts=3", lambda: tw.minimize(bowl, jnp.ones(2), restarts=3, callbacks=[print]))
