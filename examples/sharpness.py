"""SAM and Adam on noisy labels: held-out accuracy, and how much the loss grows around the solution of each."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import thalweg as tw
from thalweg.losses import accuracy, cross_entropy
from thalweg.problems.digits import load_split

NOISY = 0.3
"""The fraction of training labels that are replaced by random ones."""


def start() -> dict:
    """Returns random weights of a network with one hidden layer."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(64, 128)) / 8, "v": rng.normal(size=(128, 10)) / 128**0.5}
    return {name: np.float32(array) for name, array in weights.items()}


def logits(params, images):
    """Returns the class scores."""
    return jnp.tanh(images @ params["w"]) @ params["v"]


def loss(params, batch):
    """Returns the cross-entropy on a batch."""
    images, labels = batch
    return cross_entropy(logits(params, images), labels)


def metrics(params, batch):
    """Returns the accuracy on a batch."""
    images, labels = batch
    return {"accuracy": accuracy(logits(params, images), labels)}


def growth(params, batch, radius: float = 3.0) -> float:
    """Returns the mean growth of the loss along random directions of a given length."""
    flat, unravel = ravel_pytree(params)
    noise = jax.random.normal(jax.random.key(1), (100, flat.size))
    noise = radius * noise / jnp.linalg.norm(noise, axis=1, keepdims=True)
    around = jax.vmap(lambda step: loss(unravel(flat + step), batch))(noise)
    return float(jnp.mean(around) - loss(params, batch))


train, held_out = load_split()
rng = np.random.default_rng(0)
labels = np.where(rng.random(len(train[1])) < NOISY, rng.integers(0, 10, len(train[1])), train[1])
problem = tw.Problem(loss, (train[0], labels.astype(np.int32)), validation=held_out, metrics=metrics)
rule = tw.Adam(3e-3)
found = {}
for name, method in {"Adam": rule, "SAM(Adam)": tw.SAM(rule, rho=0.3)}.items():
    result = tw.minimize(problem, start(), method, batch_size=32, stop=tw.Epochs(40))
    assert result.validation is not None
    found[name] = result.validation.metrics["accuracy"][-1], growth(result.x, problem.objective.data)
    print(f"{name:10}  held-out accuracy {found[name][0]:.3f}, loss grows by {found[name][1]:.4f} around the solution")
assert found["SAM(Adam)"][0] > found["Adam"][0]
