"""Adam's step is about its learning rate or about nothing; and a penalty in its gradient is not weight decay."""

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw

RATE = 0.01


def typical_step(rule, grads) -> float:
    """The mean size of the updates for a sequence of gradients, in units of the rate."""

    def one(state, g):
        update, state = rule.update(g, state)
        return state, update

    updates = jax.lax.scan(one, rule.init(jnp.zeros(grads.shape[1:])), jnp.asarray(grads, jnp.float32))[1]
    return float(jnp.mean(jnp.abs(updates[200:]))) / RATE


size = np.random.default_rng(0).uniform(0.5, 1.5, (1000, 20))
turns = (-1.0) ** np.arange(1000)[:, None]
print("mean size of a step, in units of the learning rate")
print(f"{'gradients of size about':25} {'1e-3':>8} {'1':>8} {'1e3':>8}")
found = {}
for name, signs in {"of one sign": 1.0, "of alternating sign": turns}.items():
    found[name] = [typical_step(tw.Adam(RATE), scale * signs * size) for scale in (1e-3, 1.0, 1e3)]
    print(f"{name:25} " + " ".join(f"{step:8.3f}" for step in found[name]))
assert all(abs(step - 1) < 0.05 for step in found["of one sign"])
assert all(step < 0.1 for step in found["of alternating sign"])

# A badly scaled quadratic with its minimum at (1, 1). The penalty's minimum is a / (a + decay) along curvature a.
curvatures, decay = np.asarray([100.0, 1.0]), 0.5


def loss(x):
    """Half of curvatures times squared distances."""
    return 0.5 * jnp.sum(jnp.asarray(curvatures, x.dtype) * (x - 1) ** 2)


print(f"\nwhere decay {decay} ends; the penalised minimum is {curvatures / (curvatures + decay)}")
ends = {}
for rule in (tw.SGD(tw.schedules.Cosine(0.01, 2000)), tw.Adam(tw.schedules.Cosine(0.05, 4000))):
    for decoupled in (True, False):
        method = tw.WeightDecay(rule, decay, decoupled=decoupled)
        end = tw.minimize(loss, np.full(2, 3.0, np.float32), method, stop=tw.Steps(4000), on_failure="ignore").x
        name = type(rule).__name__, "decoupled" if decoupled else "penalty"
        ends[name] = np.asarray(end)
        print(f"{name[0]:5} {name[1]:10} {ends[name]}")
assert np.allclose(ends["SGD", "decoupled"], ends["SGD", "penalty"], atol=1e-4)
assert np.abs(ends["Adam", "decoupled"] - ends["Adam", "penalty"]).max() > 0.05
