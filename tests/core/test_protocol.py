"""Whoever writes a method that breaks the protocol gets one sentence that says where."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import REPRESENTATIVE, half_square, posed, solver
from thalweg.core.protocol import explain_state_change
from thalweg.core.solver import Interruptible, Samples
from thalweg.solvers.descent.direction import Direction, Heading
from thalweg.solvers.protocol import check_protocol
from thalweg.solvers.trust_region.model import QuadraticModel, TaylorModel
from thalweg.solvers.trust_region.subproblem import Subproblem


class WalkState(NamedTuple):
    """The iterate, a mean of gradients, and the number of steps."""

    x: Any
    mean: Any
    count: Any


class Walk(tw.Solver):
    """A correct method, of which `fault` breaks one thing."""

    needs: ClassVar[frozenset] = frozenset({tw.Oracle.GRADIENT})
    takes: ClassVar[frozenset] = frozenset()
    proxy: ClassVar[bool] = False
    fault: str = eqx.field(static=True, default="")

    def init(self, problem, x):
        mean = jax.tree.map(jnp.zeros_like, x)
        count = {"number": 0, "weak": jnp.asarray(0.0)}.get(self.fault, jnp.asarray(0, jnp.int32))
        if self.fault == "no x":
            return {"point": x, "mean": mean}
        if self.fault == "other x":
            return WalkState(jnp.zeros(7), mean, count)
        return WalkState(x, mean, count)

    def step(self, problem, state, key):
        seen = problem.objective.evaluate(state.x)
        if self.fault == "host" and seen.value > 0:
            return None
        mean = self.spoilt(jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state.mean, seen.grad))
        count = (
            0 if self.fault == "step number" else jnp.asarray(0.0) * 1.0 if self.fault == "weak" else state.count + 1
        )
        x = jax.tree.map(lambda x, m: x - 0.1 * m, state.x, mean if self.fault == "" else seen.grad)
        new = (x, mean, count) if self.fault == "containers" else WalkState(x, mean, count)
        info = tw.make_info(seen.value, evals=problem.evals(value=1, gradient=1))
        if self.fault == "pair":
            return new, info
        return tw.Step(new, self.misreported(info, seen), seen.grad if self.fault == "seen" else seen)

    def spoilt(self, mean):
        """The mean with a leaf changed."""
        changes = {
            "shape": lambda m: m[None],
            "dtype": lambda m: m.astype(jnp.float16),
        }
        mean = jax.tree.map(changes.get(self.fault, lambda m: m), mean)
        return {"missing leaf": None, "new leaf": {"first": mean}}.get(self.fault, mean)

    def misreported(self, info, seen):
        """The report with one part spoilt."""
        return {
            "info": {"value": seen.value},
            "info value": info._replace(value=seen.value.astype(jnp.float16)),
            "info shape": info._replace(optimality=jnp.zeros(3)),
            "info evals": info._replace(evals=(1, 1)),
            "info status": info._replace(status=jnp.asarray(0.0)),
            "extra": info._replace(extra={"gradient": seen.grad}),
        }.get(self.fault, info)

    def rebase(self, problem, state):
        return state.x if self.fault == "rebase" else state


SENTENCES = {
    "no x": r"Walk\.init returned the state as a dict without an attribute x",
    "other x": r"Walk\.init: state\.x is not like the variables: state\.x had the shape \(3,\) and has \(7,\)",
    "number": r"Walk\.init: state\.count is 0, which is no array: write jnp\.asarray",
    "host": r"Walk\.step looks at a number that is not known while the step is traced: use jnp\.where",
    "pair": r"Walk\.step returned a tuple of 2: return Step\(state, info\)",
    "shape": r"Walk\.step changed .* state\.mean had the shape \(3,\) and has \(1, 3\) afterwards",
    "dtype": r"Walk\.step changed .* state\.mean had the dtype float(32|64) and has float16 afterwards: cast it",
    "step number": r"Walk\.step changed .* state\.count became 0, which is no array",
    "weak": r"Walk\.step changed .* state\.count became weakly typed",
    "missing leaf": r"Walk\.step changed .* state\.mean is missing afterwards",
    "new leaf": r"Walk\.step changed .* state\.mean is missing afterwards",
    "containers": r"Walk\.step returned the state as a tuple without an attribute x",
    "info": r"Walk\.step: info is a dict: make it with make_info",
    "info value": r"Walk\.step: info\.value is an array of shape \(\) and dtype float16, and must be a scalar float",
    "info shape": r"Walk\.step: info\.optimality is an array of shape \(3,\)",
    "info evals": r"Walk\.step: info\.evals is no Evals: make it with make_info",
    "info status": r"Walk\.step: info\.status is .*, and must be a scalar int32",
    "extra": r"Walk\.step: info\.extra\['gradient'\] is an array of shape \(3,\).*the trace holds scalars",
    "seen": r"Walk\.step: seen is an array of shape .*, and must be what objective\.evaluate returned, or None",
    "rebase": r"Walk\.rebase changed .* state\.",
}


@pytest.mark.parametrize("fault", SENTENCES)
def test_a_wrong_solver_is_one_sentence(fault):
    with pytest.raises(TypeError, match=SENTENCES[fault]):
        check_protocol(Walk(fault))


def test_a_correct_solver_passes_on_any_problem():
    check_protocol(Walk())
    check_protocol(Walk(), tw.Problem(half_square), np.zeros(5))
    tree = {"w": np.zeros((2, 2), np.float32), "b": np.zeros(()), "name": "fixed"}
    check_protocol(Walk(), tw.Problem(lambda t: jnp.sum(t["w"].astype(t["b"].dtype) ** 2) + t["b"] ** 2), tree)


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_the_methods_of_the_library_pass(name):
    method = solver(name)
    latent = tw.Oracle.LATENT in method.needs
    check_protocol(method, posed(name, half_square) if latent else None)


class Declared(tw.Solver):
    """A method that says wrong things of itself."""

    says: dict = eqx.field(static=True)

    @property
    def needs(self):
        return self.says.get("needs", frozenset({tw.Oracle.GRADIENT}))

    @property
    def takes(self):
        return self.says.get("takes", frozenset())

    @property
    def proxy(self):
        return self.says.get("proxy", False)

    def init(self, problem, x):
        return Walk().init(problem, x)

    def step(self, problem, state, key):
        return Walk().step(problem, state, key)

    def rebase(self, problem, state):
        return state


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ({"needs": {tw.Oracle.GRADIENT}}, r"Declared\.needs is \{.*\}: it must be a frozenset of Oracle members"),
        ({"takes": frozenset({"bounds"})}, r"Declared\.takes is .*bounds.*: it must be a frozenset of Oracle members"),
        ({"proxy": None}, r"Declared\.proxy is None: it must be True or False"),
        ({"needs": frozenset({tw.Oracle.LATENT})}, "it needs a latent-variable model; pass problem= and x="),
    ],
)
def test_wrong_declarations_are_one_sentence(says, sentence):
    with pytest.raises(TypeError, match=sentence):
        check_protocol(Declared(says))


class Resting(tw.Solver, Interruptible, Samples):
    """A method that rests, and of which `fault` breaks one thing."""

    needs: ClassVar[frozenset] = frozenset({tw.Oracle.GRADIENT})
    takes: ClassVar[frozenset] = frozenset()
    proxy: ClassVar[bool] = False
    interruptible: ClassVar[bool] = True
    fault: str = eqx.field(static=True, default="")

    def examples(self, n):
        return 0 if self.fault == "examples" else n

    def init(self, problem, x):
        return Walk().init(problem, x)

    def step(self, problem, state, key):
        return Walk().step(problem, state, key)

    def rebase(self, problem, state):
        return state

    def open(self, problem, state, key):
        return Trials(jnp.asarray(0, jnp.int32) if self.fault == "done" else jnp.asarray(False), state.count, 0.5)

    def turn(self, problem, state, progress):
        return Trials(~progress.done, progress.count + (0.5 if self.fault == "turn" else 1), 0.5)

    def close(self, problem, state, progress):
        step = Walk().step(problem, state, None)
        return tuple(step) if self.fault == "close" else step


class Trials(NamedTuple):
    """Whether the step is done, how many trials were made, and a constant."""

    done: Any
    count: Any
    constant: float


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("examples", r"Resting\.examples\(8\) is 0: it must be a whole number >= 1"),
        ("done", r"Resting\.open: progress\.done is .*int32, and must be a scalar of dtype bool"),
        ("turn", r"Resting\.turn changed its progress: progress\.count had the dtype int32"),
        ("close", r"Resting\.close returned a tuple of 3: return Step"),
    ],
)
def test_a_step_that_rests_wrongly_is_one_sentence(fault, sentence):
    check_protocol(Resting())
    with jax.numpy_dtype_promotion("standard"), pytest.raises(TypeError, match=sentence):
        check_protocol(Resting(fault))


class Fall(tw.Rule):
    """A correct rule, of which `fault` breaks one thing."""

    fault: str = eqx.field(static=True, default="")

    def init(self, params):
        return {
            "m": jax.tree.map(jnp.zeros_like, params),
            "t": 0 if self.fault == "number" else jnp.asarray(0, jnp.int32),
        }

    def update(self, grads, state, params=None, **extra):
        m = state["m"][:2] if self.fault == "state" else state["m"]
        update = -grads.astype(jnp.float16) if self.fault == "dtype" else (grads,) if self.fault == "tree" else -grads
        new = {"m": m, "t": state["t"] + 1}
        return update if self.fault == "alone" else (update, new)

    def rate(self, state):
        return jnp.zeros(2) if self.fault == "rate" else jnp.asarray(0.1)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("number", r"Fall\.init: state\.t is 0, which is no array"),
        ("alone", r"Fall\.update returned an array of shape .*: return \(update, state\)"),
        ("dtype", r"Fall\.update is not like the gradient: update had the dtype float(32|64) and has float16"),
        ("tree", r"Fall\.update is not like the gradient: update is missing"),
        ("state", r"Fall\.update changed the structure of its state: state\.m had the shape \(3,\) and has \(2,\)"),
        ("rate", r"Fall\.rate returned an array of shape \(2,\).*: return one number"),
    ],
)
def test_a_wrong_rule_is_one_sentence(fault, sentence):
    check_protocol(Fall())
    with pytest.raises(TypeError, match=sentence):
        check_protocol(Fall(fault))


class Downhill(Direction):
    """A correct direction with a memory, of which `fault` breaks one thing."""

    needs: ClassVar[frozenset] = frozenset()
    takes: ClassVar[frozenset] = frozenset()
    fault: str = eqx.field(static=True, default="")

    def init(self, x):
        return {"last": 0 if self.fault == "number" else jax.tree.map(jnp.zeros_like, x)}

    def __call__(self, problem, here, state, key):
        d = jax.tree.map(lambda g: -g, here.grad)
        return (d, state) if self.fault == "pair" else Heading(d, () if self.fault == "heading" else state, plain=True)

    def update(self, state, taken):
        return {"last": jnp.zeros(7) if self.fault == "update" else taken.there.grad}


class Half(tw.line_search.LineSearch):
    """A correct search with a memory, of which `fault` breaks one thing."""

    fault: str = eqx.field(static=True, default="")

    def init(self, seen):
        return jnp.zeros_like(seen.value)

    def __call__(self, ray, memory):
        found = tw.line_search.FixedStep(0.5)(ray, ())
        if self.fault == "pair":
            return found.step, found.phi
        return found._replace(memory=() if self.fault == "memory" else memory)


class Bent(QuadraticModel):
    """Taylor's model with a memory, of which `fault` breaks one thing."""

    needs: ClassVar[frozenset] = frozenset({tw.Oracle.HVP})
    exact_hessian: ClassVar[bool] = True
    fault: str = eqx.field(static=True, default="")

    def init(self, problem, x):
        return jnp.zeros(())

    def at(self, problem, x, memory):
        here = TaylorModel().at(problem, x, ())
        return tuple(here) if self.fault == "tuple" else here

    def trial(self, problem, local, x, there):
        trial = TaylorModel().trial(problem, local, x, there)
        memory = jnp.zeros(())
        return trial._replace(taken=memory, refused=jnp.zeros(3) if self.fault == "memory" else memory)


class Still(Subproblem):
    """The Cauchy point, of which `fault` breaks one thing."""

    spectral: ClassVar[bool] = False
    fault: str = eqx.field(static=True, default="")

    def radius(self, length, grad):
        return length

    def __call__(self, model, radius):
        proposal = tw.trust_region.CauchyPoint()(model, radius)
        return proposal.step if self.fault == "step" else proposal


@pytest.mark.parametrize(
    ("kind", "fault", "sentence"),
    [
        (Downhill, "number", r"Downhill\.init: state\.last is 0, which is no array"),
        (Downhill, "pair", r"Downhill returned a tuple of 2: return Heading\(d, state\)"),
        (Downhill, "heading", r"Downhill.* changed the structure of its state: state\.last is missing afterwards"),
        (Downhill, "update", r"Downhill\.update changed .*: state\.last had the shape \(3,\) and has \(7,\)"),
        (Half, "pair", r"Half returned a tuple of 2: return Found\(step, phi, ok, unbounded, count\)"),
        (Half, "memory", r"Half.* changed the structure of its state: state is missing afterwards"),
        (Bent, "tuple", r"Bent\.at returned a tuple of 9: return LocalModel\("),
        (Bent, "memory", r"Bent\.trial \(its refused\) changed .*: state had the shape \(\) and has \(3,\)"),
        (Still, "step", r"Still returned an array of shape \(3,\).*: return Proposal\("),
    ],
)
def test_a_wrong_part_is_one_sentence(kind, fault, sentence):
    check_protocol(kind())
    with pytest.raises(TypeError, match=sentence):
        check_protocol(kind(fault))


def test_what_is_no_method_is_one_sentence():
    with pytest.raises(TypeError, match=r"check_protocol\(Walk\): give a configured method, Walk\(\.\.\.\)"):
        check_protocol(Walk)
    with pytest.raises(TypeError, match=r"check_protocol\(3\): give a solver or a rule"):
        check_protocol(3)
    with pytest.raises(TypeError, match="x is missing; pass variables of the problem"):
        check_protocol(Walk(), tw.Problem(half_square))


def test_a_change_of_state_names_the_leaf():
    before = {"m": jnp.zeros(3), "inner": WalkState(jnp.zeros(2), None, jnp.asarray(0, jnp.int32))}
    assert explain_state_change(before, before) == ""
    longer = {**before, "m": jnp.zeros(4)}
    assert explain_state_change(before, longer) == "state.m had the shape (3,) and has (4,) afterwards"
    filled = {**before, "inner": before["inner"]._replace(mean=jnp.zeros(2))}
    assert explain_state_change(before, filled) == "state.inner.mean was not there before"
    assert explain_state_change(filled, before) == "state.inner.mean is missing afterwards"
    assert "containers changed" in explain_state_change((jnp.zeros(1), jnp.zeros(2)), [jnp.zeros(1), jnp.zeros(2)])
