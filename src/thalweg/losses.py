"""Loss functions and metrics as means over a batch, computed from logits for accuracy."""

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.types import Scalar


def cross_entropy(logits: jax.Array, labels: jax.Array) -> Scalar:
    r"""Cross-entropy: the mean negative log-probability of the labels under the softmax of the logits.

    \[ -\frac1n\sum_i \log p_i, \qquad \log p_i = z_{i,y_i} - \log\sum_k e^{z_{ik}}. \]

    The largest logit is subtracted first, so that large logits do not overflow.

    - `logits`: floating-point numbers \(z\), shape `(..., classes)`.
    - `labels`: integers \(y\) in `[0, classes)`, shape `(...)`. A label outside that range makes the loss NaN, and a
      run ends with the status NONFINITE; -1 does not mean the last class.
    """
    _check_labels("cross_entropy", logits, labels)
    labels = jnp.asarray(labels)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], axis=-1)[..., 0]
    return -jnp.mean(jnp.where(labels < 0, jnp.nan, chosen))


def accuracy(logits: jax.Array, labels: jax.Array) -> Scalar:
    """Accuracy: the fraction of examples whose largest logit is that of the label; of equal logits the first counts.

    - `logits`: shape `(..., classes)`. `labels`: integers, shape `(...)`.
    """
    _check_labels("accuracy", logits, labels)
    chosen = jnp.argmax(logits, axis=-1)
    return jnp.mean(chosen == jnp.asarray(labels).astype(chosen.dtype), dtype=logits.dtype)


def mean_squared_error(predictions: jax.Array, targets: jax.Array) -> Scalar:
    r"""Mean squared error: \(\frac1n\sum_i (\hat y_i - y_i)^2\), the mean over all entries.

    - `predictions`, `targets`: arrays of equal shape. `(n,)` and `(n, 1)` are refused, because they would broadcast to
      `(n, n)`.
    """
    if np.shape(predictions) != np.shape(targets):
        raise ValueError(
            f"mean_squared_error: predictions have shape {np.shape(predictions)} and targets {np.shape(targets)}: "
            "give arrays of equal shape, e.g. predictions[:, 0]."
        )
    return jnp.mean((predictions - targets) ** 2)


def _check_labels(name: str, logits: jax.Array, labels: jax.Array) -> None:
    """Refuses `labels` that are not class numbers in the shape of `logits`; `name` is the function for the message."""
    if np.shape(labels) != np.shape(logits)[:-1] or not np.shape(logits):
        raise ValueError(
            f"{name}: logits have shape {np.shape(logits)} and labels {np.shape(labels)}: give labels as class numbers "
            "in the shape of the logits without the last axis (for one-hot labels: labels.argmax(-1))."
        )
    if not jnp.issubdtype(jnp.result_type(labels), jnp.integer):
        raise TypeError(f"{name}: labels are {jnp.result_type(labels)}: give integers, e.g. labels.astype(int).")
