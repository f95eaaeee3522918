"""Handwritten digits: a small network on the 1797 images of 8 x 8 pixels that are part of scikit-learn."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from thalweg.core.problem import Problem
from thalweg.core.stop import Epochs, Patience, Stop
from thalweg.core.types import Params, Scalar
from thalweg.losses import accuracy, cross_entropy
from thalweg.rules.adamw import AdamW
from thalweg.schedules import WarmupCosine

_PIXELS, _CLASSES = 64, 10


class Job(NamedTuple):
    """A problem with its start, and a method and options of `tw.minimize` that suit it.

    `tw.minimize(job.problem, job.x0, job.method, **job.options)` runs it.

    - `problem`, `x0`: the problem and its start. `method`: a method, or None to let `tw.minimize` choose.
    - `stop`, `batch_size`, `last`, `shuffle`, `keep`, `validate_every`, `on_nonfinite`: options of `tw.minimize`.
    - `unit`: the unit of the objective, for figures.
    """

    problem: Problem
    x0: Any
    method: Any = None
    stop: Stop | None = None
    batch_size: int | None = None
    last: str = "keep"
    shuffle: bool = True
    keep: str = "last"
    validate_every: int | Epochs | None = None
    on_nonfinite: str = "stop"
    unit: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The options of `tw.minimize` by name."""
        others = ("problem", "x0", "method", "unit")
        return {name: value for name, value in self._asdict().items() if name not in others}


class TrainValidation(NamedTuple):
    """Data to train on and data to validate on, each a pair of inputs and labels."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]


def digits(hidden: int = 64, decay: float = 0.0, seed: int = 0) -> Job:
    r"""A classifier of handwritten digits with one hidden tanh layer, trained with cross-entropy on mini-batches.

    \(z = W_2'\tanh(W_1'u + b_1) + b_2\), loss \(-\operatorname{mean}\log\operatorname{softmax}(z)_y
    + \tfrac12\lambda(\|W_1\|^2 + \|W_2\|^2)\); the validation value is the cross-entropy alone.

    - `hidden`: the width of the hidden layer.
    - `decay`: \(\lambda\) >= 0, an L2 penalty in the objective; with 1e-3 deterministic methods converge to a minimum.
    - `seed`: the seed of the start. The split into training and validation data is fixed.
    """
    train, validation = load_split()

    def penalized(params, batch):
        weights = (params["hidden"]["w"], params["output"]["w"])
        return risk(params, batch) + 0.5 * decay * sum(jnp.sum(w**2) for w in weights)

    loss = penalized if decay else risk  # one function, so that a second run finds the compiled program
    return Job(
        Problem(loss, train, validation=validation, validation_loss=risk, metrics=_metrics),
        initial_parameters(hidden, seed),
        AdamW(WarmupCosine(0.02, warmup=Epochs(0.5)), weight_decay=0.1),
        stop=Epochs(40) | Patience(8),
        batch_size=64,
        keep="best",
        unit="nats",
    )


def _logits(params: Params, inputs: Any) -> Any:
    """Returns one row of class scores for each image."""
    features = jnp.tanh(inputs @ params["hidden"]["w"] + params["hidden"]["b"])
    return features @ params["output"]["w"] + params["output"]["b"]


def risk(params: Params, batch: Any) -> Scalar:
    """Returns the cross-entropy on a batch."""
    inputs, labels = batch
    return cross_entropy(_logits(params, inputs), labels)


def _metrics(params: Params, batch: Any) -> dict[str, Scalar]:
    """Returns the accuracy: the fraction of images that are classified correctly."""
    inputs, labels = batch
    return {"accuracy": accuracy(_logits(params, inputs), labels)}


def initial_parameters(hidden: int, seed: int) -> Params:
    """Returns Glorot normal weights (variance 2 / (fan in + fan out), which suits tanh) and zero biases."""
    rng = np.random.default_rng(seed)

    def dense(fan_in, fan_out):
        scale = np.sqrt(2 / (fan_in + fan_out))
        w = scale * rng.normal(size=(fan_in, fan_out))
        return {"w": w.astype(np.float32), "b": np.zeros(fan_out, np.float32)}

    return {"hidden": dense(_PIXELS, hidden), "output": dense(hidden, _CLASSES)}


def load_split() -> TrainValidation:
    """Loads the digits: four fifths to train on and one fifth to validate on, stratified by class and standardized.

    All pixels are shifted and scaled by the mean and the standard deviation of the training images, so that nothing of
    the validation images leaks into the training. A scale for each pixel would magnify pixels at the rim, which are
    hardly ever dark.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError('The digits are part of scikit-learn: pip install "thalweg[zoo]".') from error
    bunch: Any = load_digits()
    labels = bunch.target.astype(np.int32)
    split: Any = train_test_split(bunch.data, labels, test_size=0.2, stratify=labels, random_state=0)
    train, validation, train_labels, validation_labels = split
    mean, deviation = train.mean(), train.std()
    return TrainValidation(
        (((train - mean) / deviation).astype(np.float32), train_labels),
        (((validation - mean) / deviation).astype(np.float32), validation_labels),
    )
