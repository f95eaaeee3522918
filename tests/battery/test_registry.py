"""What the registry's rows declare is true, and no public method is without one."""

import importlib
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.battery.namesakes import NAMESAKES, UNKNOWN_TO_OPTAX
from tests.battery.runs import STARTS, reference
from tests.helpers import FINITE_SUM, LATENT, RESIDUALS, ROWS, half_square, posed, solver
from thalweg.registry import WITHOUT_ROW, fitting, method_name
from thalweg.registry.method import Checks
from thalweg.registry.space import OneOf

RULES = tuple(name for name in ROWS if isinstance(tw.METHODS[name].example(""), tw.Rule))
SIDES = (128, 256)
"""Two sizes of the square matrix for which a row's formulas are written: from 128 on Adafactor factors it."""


def is_method(value) -> bool:
    """A class of rules or solvers that can be built, or a function that returns one."""
    if inspect.isclass(value):
        return issubclass(value, (tw.Rule, tw.Solver)) and not inspect.isabstract(value)
    returned = inspect.signature(value).return_annotation if inspect.isfunction(value) else None
    return inspect.isclass(returned) and issubclass(returned, (tw.Rule, tw.Solver))


def test_the_whole_registry_has_every_public_method_or_a_reason():
    public = {name for name in tw.__all__ if is_method(getattr(tw, name))}
    rows = {row.make.__name__ for row in tw.METHODS.values()}
    assert rows <= public
    assert public - rows == set(WITHOUT_ROW)
    assert all(WITHOUT_ROW.values())


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_what_its_tests_need(name):
    row = tw.METHODS[name]
    assert row.label
    assert row.rank >= 1
    assert (row.checks == Checks()) == (not row.checks.why), "what is treated in its own way has a reason"
    assert inspect.isfunction(importlib.import_module(row.twin).run)
    assert not row.convention or row.convention.endswith(".")


def words(tree) -> float:
    """Numbers of 4 bytes in the arrays of a tree of shapes; a random key has two."""
    leaves = jax.tree.leaves(tree)
    keys = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)]
    arrays = [leaf for leaf in leaves if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)]
    return 2 * len(keys) + sum(leaf.size * leaf.dtype.itemsize for leaf in arrays) / 4


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ROWS)
def test_the_declared_storage_is_the_states(name, side):
    """Up to counts, scalars and what is kept of the last steps: less than one side of the matrix."""
    x, n, problem = jax.ShapeDtypeStruct((side, side), jnp.float32), side**2, posed(name, half_square)
    state = jax.eval_shape(lambda x: solver(name).init(problem, x), x)
    declared = tw.METHODS[name].storage.at(n, m=7)
    assert words(state) - n == pytest.approx(declared["state"], abs=side)
    assert declared["step"] >= 0


@pytest.mark.parametrize("name", ROWS)
def test_no_step_evaluates_less_than_declared(name):
    """And some step not much more: a search and conjugate gradients are declared at their least."""
    n, m = STARTS[1].size, 1 if name in RESIDUALS else 7
    result = reference(name)
    if name == "conjugate-gradient":  # declared where its first trial step is right, as it is on a quadratic
        result = tw.minimize(posed(name, half_square), STARTS[1], solver(name), stop=tw.Steps(9), on_failure="ignore")
    evals = result.trace.evals
    declared = tw.METHODS[name].work.at(n, m)
    if name in FINITE_SUM + LATENT:  # batches are parts of an evaluation
        assert evals.examples[:-1].min() == m * (declared["value"] + declared["hvp"])
        return
    for field in ("value", "gradient", "hvp", "prox"):
        least = evals._asdict()[field][:-1].min()
        most = n if field == "hvp" else 2
        assert declared[field] <= least <= most * declared[field], field


@pytest.mark.parametrize("name", RULES)
def test_the_declared_operations_of_a_rule_are_those_of_its_program(name):
    """Up to a half of them: the compiler counts a rule's rare branches too, and knows no eigendecompositions."""
    rule, side = tw.METHODS[name].example(""), SIDES[0]
    x, value = jax.ShapeDtypeStruct((side, side), jnp.float32), jax.ShapeDtypeStruct((), jnp.float32)

    def step(grad, state, x, value):
        return rule.update(grad, state, x, value=value, grad=grad)

    counted = jax.jit(step).lower(x, jax.eval_shape(rule.init, x), x, value).cost_analysis() or {}
    operations = counted["flops"] + counted.get("transcendentals", 0)
    added = side**2  # the update, to the variables
    assert tw.METHODS[name].work.at(side**2)["flops"] == pytest.approx(operations + added, rel=0.5)


@pytest.mark.parametrize("name", [name for name in ROWS if tw.METHODS[name].space])
def test_every_point_of_the_search_space_is_a_method(name):
    row = tw.METHODS[name]
    for u in (0.0, 0.5, 1.0):
        values = {field: span.at(u) for field, span in row.space.items()}
        method = row.tuned(values)
        assert tw.from_config(tw.to_config(method)) is not None, "every part checks its numbers"
        assert jax.tree.leaves(row.tuned(values)) == jax.tree.leaves(method)
    for span in row.space.values():
        ends = (span.options[0], span.options[-1]) if isinstance(span, OneOf) else (span.low, span.high)
        assert ends[0] != ends[1]
        assert (span.at(0.0), span.at(1.0)) == pytest.approx(ends, rel=1e-12)


def test_a_field_that_no_part_has_is_refused():
    with pytest.raises(ValueError, match=r"beta=0\.5: Adam and its parts have no field 'beta'"):
        tw.METHODS["adam"].tuned({"beta": 0.5})


def test_the_whole_registry_knows_a_method_by_its_decisive_parts():
    for name, row in tw.METHODS.items():
        if name not in RULES and name != "saddle-free-newton":  # Newton's, with another treatment of the eigenvalues
            assert method_name(row.solver()) == row.make.__name__
    assert method_name(tw.LBFGS(3, tw.line_search.Backtracking())) == "LBFGS"
    assert method_name(tw.SteepestDescent(tw.line_search.ExactSearch())) == "SteepestDescent"
    assert method_name(tw.SteepestDescent(tw.line_search.PolyakStep(0.0))) == "PolyakDescent"
    assert method_name(tw.TrustRegion(tw.trust_region.Dogleg(), model=tw.trust_region.SR1Model())) == "SR1"
    assert method_name(tw.LevenbergMarquardt(dense=False)) == "LevenbergMarquardt"
    assert method_name(tw.SAM(tw.Adam())) == "SAM"
    assert method_name(tw.ScheduleFree(tw.Adam())) == "ScheduleFree"
    assert method_name(tw.FirstOrder(tw.Clip(tw.AdamW()))) == "Clip(AdamW)"


def test_the_whole_registry_has_a_namesake_for_every_rule():
    """Optax's form of it, or who else has one."""
    assert set(RULES) == set(NAMESAKES) | set(UNKNOWN_TO_OPTAX)
    assert not set(NAMESAKES) & set(UNKNOWN_TO_OPTAX)


def test_the_whole_registry_is_ranked():
    """A refusal names the three that suit the structure best."""
    smooth = frozenset({tw.Oracle.VALUE, tw.Oracle.GRADIENT, tw.Oracle.HVP, tw.Oracle.WHOLE})
    changing = smooth - {tw.Oracle.WHOLE} | {tw.Oracle.BATCHES}
    assert fitting(smooth)[:3] == ["LBFGS", "TrustRegion", "BFGS"]
    assert fitting(smooth | {tw.Oracle.RESIDUALS})[:3] == ["LevenbergMarquardt", "GaussNewton", "LBFGS"]
    assert fitting(smooth | {tw.Oracle.BOUNDS})[:3] == ["LBFGSB", "ProjectedGradient", "FISTA"]
    assert fitting(smooth | {tw.Oracle.NONSMOOTH}) == ["FISTA"]
    assert fitting(changing)[:3] == ["Adam", "AdamW", "Momentum"]
    with pytest.raises(ValueError, match=r"methods that fit: Adam, AdamW, Momentum and [0-9]+ more") as caught:
        tw.minimize(
            tw.Problem(lambda x, batch: jnp.sum((x - batch) ** 2), np.ones(8)),
            np.zeros(()),
            tw.BFGS(),
            batch_size=4,
            stop=tw.Steps(3),
        )
    assert "BFGS needs the same function at every step" in str(caught.value)
