"""Train a network whose parameters are nested dicts: two spirals, mini-batches, dropout, validation."""

import itertools

import jax
import numpy as np

import thalweg as tw
from thalweg.losses import accuracy, cross_entropy


def spirals(examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on two arms, and the number of their arm."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, examples)
    radius = rng.uniform(0.2, 1.0, examples)
    angle = 7.0 * radius + np.pi * arm
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1) + 0.03 * rng.normal(size=(examples, 2))
    return points.astype(np.float32), arm.astype(np.int32)


def start(widths: tuple[int, ...], seed: int = 0) -> dict:
    """He's weights (variance 2 / fan in, which suits relu)."""
    rng = np.random.default_rng(seed)
    layers = {}
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        w = rng.normal(size=(fan_in, fan_out)) * np.sqrt(2 / fan_in)
        layers[f"layer{i}"] = {"w": w.astype(np.float32), "b": np.zeros(fan_out, np.float32)}
    return layers


def logits(params, points, key=None):
    """Class scores; with a key, half of the last hidden layer's outputs are dropped."""
    *hidden, last = params.values()
    for layer in hidden:
        points = jax.nn.relu(points @ layer["w"] + layer["b"])
    if key is not None:
        points = points * jax.random.bernoulli(key, 0.5, points.shape) * 2.0
    return points @ last["w"] + last["b"]


def loss(params, batch, key):
    """A new dropout mask at every step; on validation data the key is None."""
    points, arm = batch
    return cross_entropy(logits(params, points, key), arm)


def metrics(params, batch):
    """The fraction of points whose arm is found."""
    points, arm = batch
    return {"accuracy": accuracy(logits(params, points), arm)}


problem = tw.Problem(loss, spirals(1000, 0), validation=spirals(300, 1), metrics=metrics)
method = tw.AdamW(tw.schedules.WarmupCosine(1e-2, warmup=tw.Epochs(2)), weight_decay=1e-3, mask=tw.matrices)
result = tw.minimize(
    problem, start((2, 64, 64, 2)), method, batch_size=50, stop=tw.Epochs(40) | tw.Patience(15), keep="best"
)
print(result)
assert result.validation.metrics["accuracy"].max() > 0.97
