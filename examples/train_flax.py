"""Train a Flax NNX model with batch normalization: its running statistics are the model state."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import thalweg as tw
from thalweg.losses import accuracy, cross_entropy


class Network(nnx.Module):
    """A network with one hidden layer and batch normalization."""

    def __init__(self, rngs):
        self.hidden = nnx.Linear(2, 32, rngs=rngs)
        self.norm = nnx.BatchNorm(32, rngs=rngs)
        self.output = nnx.Linear(32, 3, rngs=rngs)

    def __call__(self, points):
        return self.output(jax.nn.relu(self.norm(self.hidden(points))))


network = Network(nnx.Rngs(0))
graph, params, statistics = nnx.split(network, nnx.Param, ...)


def loss(params, statistics, batch):
    """Returns the loss on a batch, and the running statistics after it."""
    points, labels = batch
    model = nnx.merge(graph, params, statistics)
    value = cross_entropy(model(points), labels)
    return value, nnx.split(model, nnx.Param, ...)[2]


def evaluated(params, batch, statistics):
    """Returns the class scores in evaluation mode, with the running statistics."""
    model = nnx.merge(graph, params, statistics)
    model.eval()
    return model(batch[0])


def validation_loss(params, batch, statistics):
    """Returns the loss in evaluation mode."""
    return cross_entropy(evaluated(params, batch, statistics), batch[1])


def metrics(params, batch, statistics):
    """Returns the accuracy in evaluation mode."""
    return {"accuracy": accuracy(evaluated(params, batch, statistics), batch[1])}


rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 900).astype(np.int32)
centers = np.array([[2, 0], [-1, 2], [-1, -2]], np.float32)
points = 5 * (centers[labels] + 0.6 * rng.normal(size=(900, 2))).astype(np.float32)

problem = tw.Problem(
    loss,
    data=(points[:700], labels[:700]),
    validation=(points[700:], labels[700:]),
    validation_loss=validation_loss,
    metrics=metrics,
    stateful=True,
    allow_unused=True,  # a bias before a normalization has no effect on the loss
)
result = tw.minimize(
    problem, params, tw.Momentum(0.05), model_state=statistics, batch_size=70, stop=tw.Epochs(20), keep="best"
)
print(result)

nnx.update(network, result.x, result.model_state)  # the trained model
assert result.validation.metrics["accuracy"][-1] > 0.95
assert jnp.abs(network.norm.mean[...]).max() > 0.1
