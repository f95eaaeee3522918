"""Handwritten digits: a small network on the 1797 images of 8 x 8 pixels that come with scikit-learn."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from thalweg.core.problem import Problem
from thalweg.core.stop import GradNorm, Steps, Stop
from thalweg.core.types import Params, Scalar
from thalweg.losses import accuracy, cross_entropy
from thalweg.solvers.descent.lbfgs import LBFGS

PIXELS, CLASSES = 64, 10


class Job(NamedTuple):
    """A problem ready to run: its start, and the method, stop rule and validation period that suit it.

    None leaves the choice to `minimize`. `unit` is that of the objective, for figures.
    """

    problem: Problem
    x0: Any
    method: Any = None
    stop: Stop | None = None
    validate_every: int | None = None
    unit: str = ""


class Split(NamedTuple):
    """Inputs and labels to train on and to validate on."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]


def digits(hidden: int = 64, decay: float = 1e-3, seed: int = 0) -> Job:
    r"""A classifier of handwritten digits with one hidden layer of tanh, trained by cross-entropy.

    \(z = W_2'\tanh(W_1'u + b_1) + b_2\), loss \(-\operatorname{mean}\log\operatorname{softmax}(z)_y
    + \tfrac12\lambda(\|W_1\|^2 + \|W_2\|^2)\). The decay makes the minimum isolated enough to converge to;
    validation is the cross-entropy alone.

    - `hidden`: width of the hidden layer. `decay`: \(\lambda\) >= 0. `seed`: of the start; the split is fixed.
    """
    train, validation = load()

    def loss(params, batch):
        weights = (params["hidden"]["w"], params["output"]["w"])
        return risk(params, batch) + 0.5 * decay * sum(jnp.sum(w**2) for w in weights)

    problem = Problem(loss, train, validation=validation, validation_loss=risk, metrics=metrics)
    return Job(problem, start(hidden, seed), LBFGS(), GradNorm(1e-4) | Steps(500), validate_every=2, unit="nats")


def logits(params: Params, inputs: Any) -> Any:
    """One row of class scores for each image."""
    features = jnp.tanh(inputs @ params["hidden"]["w"] + params["hidden"]["b"])
    return features @ params["output"]["w"] + params["output"]["b"]


def risk(params: Params, batch: Any) -> Scalar:
    """The cross-entropy on a batch."""
    inputs, labels = batch
    return cross_entropy(logits(params, inputs), labels)


def metrics(params: Params, batch: Any) -> dict[str, Scalar]:
    """The fraction of images named rightly."""
    inputs, labels = batch
    return {"accuracy": accuracy(logits(params, inputs), labels)}


def start(hidden: int, seed: int) -> Params:
    """Glorot's normal weights (variance 2 / (fan in + fan out), which suits tanh) and zero biases."""
    rng = np.random.default_rng(seed)

    def dense(fan_in, fan_out):
        scale = np.sqrt(2 / (fan_in + fan_out))
        w = scale * rng.normal(size=(fan_in, fan_out))
        return {"w": w.astype(np.float32), "b": np.zeros(fan_out, np.float32)}

    return {"hidden": dense(PIXELS, hidden), "output": dense(hidden, CLASSES)}


def load() -> Split:
    """Four fifths to train on, one fifth held out, every class in proportion; inputs with mean 0 and variance 1.

    The scale is that of the training inputs alone, so that nothing of the held-out images leaks into the fit.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise ImportError('The digits come with scikit-learn: pip install "thalweg[zoo]".') from error
    bunch: Any = load_digits()
    labels = bunch.target.astype(np.int32)
    split: Any = train_test_split(bunch.data, labels, test_size=0.2, stratify=labels, random_state=0)
    train, validation, train_labels, validation_labels = split
    scaler: Any = StandardScaler().fit(train)
    return Split(
        (scaler.transform(train).astype(np.float32), train_labels),
        (scaler.transform(validation).astype(np.float32), validation_labels),
    )
