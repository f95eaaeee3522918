"""Fine-tuning with parameter groups: a frozen encoder, a new head, a separate learning rate for biases, an average."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.losses import accuracy, cross_entropy
from thalweg.problems.digits import load_split


class Model(eqx.Module):
    """A classifier with an encoder and a head."""

    encoder: eqx.nn.MLP
    head: eqx.nn.Linear

    def __init__(self, classes: int, key: jax.Array):
        first, second = jax.random.split(key)
        self.encoder = eqx.nn.MLP(64, 32, 64, 1, key=first)
        self.head = eqx.nn.Linear(32, classes, key=second)

    def __call__(self, image: jax.Array) -> jax.Array:
        return self.head(jax.nn.relu(self.encoder(image)))


def loss(model, batch):
    """Returns the cross-entropy on a batch."""
    images, labels = batch
    return cross_entropy(jax.vmap(model)(images), labels)


def score(model, batch) -> float:
    """Returns the accuracy on a batch."""
    images, labels = batch
    return float(accuracy(jax.vmap(model)(images), labels))


(images, labels), (held_images, held_labels) = load_split()
small = labels < 5  # the encoder is trained on the digits 0 to 4, and the head then on all ten
first = tw.Problem(loss, (images[small], labels[small]))
trained = tw.minimize(first, Model(5, jax.random.key(0)), tw.Adam(3e-3), batch_size=64, stop=tw.Epochs(10)).x

model = eqx.tree_at(lambda model: model.head, trained, eqx.nn.Linear(32, 10, key=jax.random.key(1)))
groups = {"encoder/**": tw.Freeze(), "head/bias": tw.SGD(0.1), "**": tw.AdamW(1e-2, weight_decay=1e-2)}
problem = tw.Problem(loss, (images, labels))
result = tw.minimize(problem, model, tw.Partition(groups), batch_size=64, stop=tw.Epochs(10), average=tw.EMA(0.98))
print(result)
held_out = held_images, held_labels
print(
    f"held-out accuracy: before {score(model, held_out):.3f}, after {score(result.x, held_out):.3f}, "
    f"of the average {score(result.average, held_out):.3f}"
)
assert np.array_equal(result.x.encoder.layers[0].weight, model.encoder.layers[0].weight)
assert not jnp.array_equal(result.x.head.weight, model.head.weight)
assert score(result.average, held_out) > 0.7
