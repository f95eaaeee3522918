"""Rules at home in other people's loops, and other people's transformations at home in ours."""

import dataclasses
import functools
import pickle

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
from flax import nnx
from flax.training.train_state import TrainState
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from tests.battery.namesakes import NAMESAKES, UNKNOWN_TO_OPTAX
from tests.helpers import EPS, X64, assert_close, at_once, examples, iterates, numbers, quartic, sampled, walk
from thalweg.core.rule import OptaxRule

RULES = {name: row.example("") for name, row in tw.METHODS.items() if isinstance(row.example(""), tw.Rule)}
RANDOM = tuple(name for name in RULES if tw.METHODS[name].checks.draws)
"""Rules that draw from the step's key, which a hand-written loop does not hand out."""
STEPS_AN_UPDATE = {name: steps for name in RULES if (steps := tw.METHODS[name].checks.steps_an_update) != 1}
"""Steps in which the rule inside counts once, where it is not every step."""
STEPS = 20
CLOSE = 1e-12 if X64 else 5e-6
WIDE = jnp.float64 if X64 else jnp.float32
DTYPES = [jnp.float32, jnp.bfloat16, WIDE]
START = np.asarray([0.5, -1.0, 3.0], float if X64 else np.float32)

by_rule = pytest.mark.parametrize("name", RULES)


ADAPTED = ("adamw", "clip", "muon", "reduce-on-plateau")
"""One rule of each kind, of entries, around another, of matrices and of values: adapters know no others."""


@pytest.fixture(autouse=True)
def standard_promotion():
    """Strict promotion is a demand on our code, not on our peers'."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def scan(transformation, x0, loss=quartic) -> jax.Array:
    """`x_0, ..., x_20` by a hand-written loop around a transformation."""

    def one(carry, _):
        x, state = carry
        value, grad = jax.value_and_grad(loss)(x)
        extra = {"value": value, "grad": grad, "value_fn": loss} if "ExtraArgs" in type(transformation).__name__ else {}
        update, state = transformation.update(grad, state, x, **extra)
        return (optax.apply_updates(x, update), state), x

    return jax.lax.scan(one, (x0, transformation.init(x0)), length=STEPS + 1)[1]


def by_optax(transformation, x0, loss=quartic) -> jax.Array:
    """The same, compiled."""
    return jax.jit(lambda x: scan(transformation, x, loss))(jnp.asarray(x0))


def by_us(method) -> jax.Array:
    """The same by our loop."""
    rule = method if isinstance(method, tw.Rule) else OptaxRule(method)
    return iterates(tw.Problem(quartic), tw.FirstOrder(rule), START, STEPS)


def namesake(name: str, rule: tw.Rule):
    """Optax's form of the rule; where it has none, ours."""
    return rule.as_optax() if name in UNKNOWN_TO_OPTAX else NAMESAKES[name](rule)


SCHEDULE = tw.schedules.WarmupCosine(peak=0.1, warmup=5, steps=15, final=0.1)
HALF = optax.scale(0.5)


@functools.cache
def paths(name: str) -> dict[str, jax.Array]:
    """The paths of a rule by our loop, in its form for Optax, and of its namesake, by one program."""
    rule = RULES[name]

    def run(x):
        ours = walk(tw.Problem(quartic), tw.FirstOrder(rule), x, STEPS)
        return {"ours": ours, "form": scan(rule.as_optax(), x), "namesake": scan(namesake(name, rule), x)}

    return jax.jit(run)(START)


@functools.cache
def further_paths(name: str) -> dict[str, jax.Array]:
    """The form for Optax after pickling, the namesake in a chain, and where there is one with a schedule."""
    rule = RULES[name]
    forms = {
        "pickled": pickle.loads(pickle.dumps(rule.as_optax())),
        "chain": optax.chain(HALF, namesake(name, rule)),
    }
    if name in NAMESAKES:
        forms["scheduled"] = NAMESAKES[name](with_rate(rule, SCHEDULE))
    return jax.jit(lambda x: {form: scan(transformation, x) for form, transformation in forms.items()})(START)


@pytest.mark.parametrize("name", NAMESAKES)
def test_equals_its_namesake(name):
    assert_close(paths(name)["ours"], paths(name)["namesake"], CLOSE)
    assert_close(paths(name)["form"], paths(name)["namesake"], CLOSE)


@pytest.mark.parametrize("name", sampled(NAMESAKES, ADAPTED))
def test_the_namesake_runs_in_minimize(name):
    rule, stop = RULES[name], tw.Steps(STEPS)
    ours = tw.minimize(quartic, START, rule, stop=stop)
    theirs = tw.minimize(quartic, START, NAMESAKES[name](rule), stop=stop)
    assert_close(ours.x, theirs.x, CLOSE)
    assert ours.trace.step_size[0] == numbers(rule)["learning_rate"]
    assert np.all(np.isnan(theirs.trace.step_size)), "Optax keeps its rate in a closure"


@pytest.mark.parametrize("name", sampled(RULES, ADAPTED))
def test_inside_a_chain_for_a_part_of_the_tree(name):
    x0 = {"a": START, "b": START}
    chain = optax.chain(HALF, RULES[name].as_optax())
    parts = optax.multi_transform({"ours": chain, "none": optax.set_to_zero()}, {"a": "ours", "b": "none"})
    result = tw.minimize(quartic, x0, parts, stop=tw.Steps(STEPS))
    assert_close(result.x["a"], further_paths(name)["chain"][-1], CLOSE)
    np.testing.assert_array_equal(result.x["b"], START)


def weights(model: nnx.Linear) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias."""
    return np.asarray(model.kernel[...]), np.asarray(model.bias[...])


@nnx.jit
def fresh_model() -> nnx.Linear:
    """The same one every time."""
    return nnx.Linear(3, 2, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("name", sampled(RULES, ADAPTED))
def test_inside_flax(name):
    rule = RULES[name]
    forms = {"ours": rule.as_optax()} | ({"theirs": NAMESAKES[name](rule)} if name in NAMESAKES else {})
    models = {form: fresh_model() for form in forms}
    optimizers = {form: nnx.Optimizer(models[form], forms[form], wrt=nnx.Param) for form in forms}

    @nnx.jit
    def step(models, optimizers):
        for form, model in models.items():
            value, grads = nnx.value_and_grad(lambda model: jnp.sum((model(jnp.ones((1, 3))) - 1) ** 2))(model)
            optimizers[form].update(model, grads, value=value)

    for _ in range(STEPS):
        step(models, optimizers)

    def distance(kernel, bias):
        return np.abs(kernel.sum(0) + bias - 1).max()

    ours = weights(models["ours"])
    assert ours[0].dtype == np.float32
    if name in NAMESAKES:
        assert_close(ours, weights(models["theirs"]), 5e-6)
    assert distance(*ours) < 0.5 * distance(*weights(fresh_model()))


@pytest.mark.parametrize("name", ["adamw", "clip", "muon"])
def test_in_a_train_state_of_flax(name):
    rule, kernel = RULES[name], jnp.full((3, 2), 0.5, jnp.float32)

    def loss(params):
        return jnp.sum((params["kernel"].sum(0) + params["bias"] - 1) ** 2)

    @jax.jit
    def step(state):
        return state.apply_gradients(grads=jax.grad(loss)(state.params))

    params = {"kernel": kernel, "bias": jnp.zeros(2, jnp.float32)}
    state = TrainState.create(apply_fn=None, params=params, tx=rule.as_optax())
    for _ in range(STEPS):
        state = step(state)
    assert int(state.step) == STEPS
    assert loss(state.params) < 0.5 * loss(params)
    result = tw.minimize(loss, params, rule, stop=tw.Steps(STEPS))
    assert_close(jax.tree.map(np.asarray, state.params), result.x, 5e-6)


@pytest.mark.parametrize("name", sampled(RULES, ADAPTED))
def test_in_a_hand_written_equinox_loop(name):
    rule, model = RULES[name], eqx.nn.Linear(2, 2, key=jax.random.key(0))

    @eqx.filter_value_and_grad
    def loss(model):
        return jnp.mean((jax.vmap(model)(jnp.eye(2)) - 1) ** 2)

    @eqx.filter_jit
    def step(model, state):
        value, grads = loss(model)
        update, state = rule.update(grads, state, eqx.filter(model, eqx.is_inexact_array), value=value)
        return eqx.apply_updates(model, update), state, value

    trained, state, values = model, eqx.filter_jit(rule.init)(eqx.filter(model, eqx.is_inexact_array)), []
    for _ in range(STEPS):
        trained, state, value = step(trained, state)
        values.append(float(value))
    assert values[-1] < 0.5 * values[0]
    problem = tw.Problem(lambda model: jnp.mean((jax.vmap(model)(jnp.eye(2)) - 1) ** 2))
    result = tw.minimize(problem, model, rule, stop=tw.Steps(STEPS))
    if name not in RANDOM:
        np.testing.assert_allclose(result.trace.value[:-1], values, rtol=CLOSE, atol=CLOSE * values[0])


def with_rate(rule: tw.Rule, rate) -> tw.Rule:
    """The same rule at another rate."""
    if isinstance(rule, tw.Partition):
        return tw.Partition(rule.patterns, tuple(with_rate(inner, rate) for inner in rule.rules))
    names = [field.name for field in dataclasses.fields(rule)]
    if "rule" in names:
        return dataclasses.replace(rule, rule=with_rate(rule.rule, rate))
    return dataclasses.replace(rule, learning_rate=rate)


def scheduled_rates(counts: jax.Array) -> jax.Array:
    """What the schedule says."""
    return jax.vmap(SCHEDULE)(counts)


@pytest.mark.parametrize("name", sampled(RULES, (*ADAPTED, *STEPS_AN_UPDATE)))
def test_a_schedule_is_followed(name):
    rule = with_rate(RULES[name], SCHEDULE)
    result = tw.minimize(quartic, START, rule, stop=tw.Steps(STEPS))
    counts = np.arange(STEPS + 1) // STEPS_AN_UPDATE.get(name, 1)
    rates = np.asarray(at_once(scheduled_rates, counts))
    np.testing.assert_allclose(result.trace.step_size, rates, rtol=4 * EPS)


@pytest.mark.parametrize("name", sampled(NAMESAKES, ADAPTED))
def test_a_schedule_is_followed_as_by_its_namesake(name):
    assert_close(by_us(with_rate(RULES[name], SCHEDULE)), further_paths(name)["scheduled"], CLOSE)


STRUCTURES = st.recursive(
    st.none() | st.tuples(st.sampled_from([(), (3,), (0,), (2, 3), (0, 2), (2, 2, 3)]), st.sampled_from(DTYPES)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)


@by_rule
@settings(max_examples=examples(15, quick=4))
@given(STRUCTURES)
def test_shapes_dtypes_and_structure_survive_in_any_tree(name, structure):
    """Scalars, empty arrays, None, several dtypes. Only shapes are followed: nothing is compiled."""
    rule = RULES[name]
    is_leaf = lambda node: isinstance(node, tuple)  # noqa: E731
    x = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(*leaf), structure, is_leaf=is_leaf)
    scalar = jax.ShapeDtypeStruct((), WIDE)

    def step(grads, params, value):
        state = rule.init(params)
        update, after = rule.update(grads, state, params, value=value, grad=grads)
        return update, state, after

    if x is not None:
        update, state, after = jax.eval_shape(step, x, x, scalar)
        assert update == x
        assert after == state
        assert not any(leaf.weak_type for leaf in jax.tree.leaves((update, after)))


@pytest.mark.parametrize("name", sampled(RULES, ADAPTED))
def test_the_optax_form_pickles(name):
    assert_close(further_paths(name)["pickled"], paths(name)["form"], CLOSE)  # of two programs, so not bit for bit


OTHERS = {
    "plain": optax.rmsprop(0.05),
    "chain": optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(0.05)),
    "value": optax.contrib.reduce_on_plateau(patience=1, factor=0.5),
    "value in a chain": optax.chain(optax.sgd(0.05), optax.contrib.reduce_on_plateau(patience=1, rtol=0.2)),
    "polyak": optax.polyak_sgd(0.5),
    "value function": optax.lbfgs(),
}


@pytest.mark.parametrize("other", sampled(OTHERS, ["value in a chain"]))
def test_optax_inside_minimize(other):
    transformation = OTHERS[other]
    loss = quartic
    if transformation is OTHERS["value"]:  # adds gradients: ascend on the negative
        loss = negative_bowl
    expected = by_optax(transformation, START, loss)
    result = tw.minimize(loss, START, transformation, stop=tw.Steps(STEPS))
    assert result.steps == STEPS
    assert_close(result.x, expected[-1], 1e3 * CLOSE)
    np.testing.assert_allclose(result.trace.value[:5], [float(loss(x)) for x in expected[:5]], rtol=1e3 * CLOSE)


def negative_bowl(x):
    """Its gradient, added, is a step toward 0."""
    return -0.05 * jnp.sum(x**2)
