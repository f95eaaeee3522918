"""Train an Equinox module: its arrays are the variables, its activation function and its sizes are held fixed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw


def loss(model, batch):
    """Mean squared error."""
    inputs, targets = batch
    return jnp.mean((jax.vmap(model)(inputs) - targets) ** 2)


rng = np.random.default_rng(0)
inputs = rng.uniform(-3, 3, (600, 1)).astype(np.float32)
targets = np.sin(2 * inputs) + 0.05 * rng.normal(size=inputs.shape).astype(np.float32)

model = eqx.nn.MLP(1, 1, width_size=32, depth=2, activation=jax.nn.tanh, key=jax.random.key(0))
problem = tw.Problem(loss, data=(inputs[:500], targets[:500]), validation=(inputs[500:], targets[500:]))
result = tw.minimize(
    problem, model, tw.Adam(tw.schedules.Cosine(1e-2)), batch_size=50, stop=tw.Epochs(100), keep="best"
)
print(result)

trained = result.x  # a module like `model`
assert isinstance(trained, eqx.nn.MLP)
assert abs(float(trained(jnp.array([0.5]))[0]) - np.sin(1.0)) < 0.1
assert result.validation.value.min() < 0.01
