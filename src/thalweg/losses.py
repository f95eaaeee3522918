"""Losses as means over their batch, from logits: never from probabilities, which have lost their digits already."""

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.types import Scalar


def cross_entropy(logits: jax.Array, labels: jax.Array) -> Scalar:
    r"""Mean negative log-probability of the labels under the softmax of the logits.

    \[ -\frac1n\sum_i \log p_i, \qquad \log p_i = z_{i,y_i} - \log\sum_k e^{z_{ik}}. \]

    The largest logit is taken out of the sum first, so that nothing overflows: logits of 1000 are as good as 0.

    - `logits`: floating-point numbers \(z\), shape `(..., classes)`.
    - `labels`: integers \(y\) in `[0, classes)`, shape `(...)`. A label outside makes the loss NaN, which ends a run
      with a status that says so; -1 is not the last class.
    """
    check_labels("cross_entropy", logits, labels)
    labels = jnp.asarray(labels)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], axis=-1)[..., 0]
    return -jnp.mean(jnp.where(labels < 0, jnp.nan, chosen))


def accuracy(logits: jax.Array, labels: jax.Array) -> Scalar:
    """The fraction of examples whose largest logit is the label's; of equal ones the first counts.

    - `logits`: shape `(..., classes)`. `labels`: integers, shape `(...)`.
    """
    check_labels("accuracy", logits, labels)
    chosen = jnp.argmax(logits, axis=-1)
    return jnp.mean(chosen == jnp.asarray(labels).astype(chosen.dtype), dtype=logits.dtype)


def mean_squared_error(predictions: jax.Array, targets: jax.Array) -> Scalar:
    r"""\(\frac1n\sum_i (\hat y_i - y_i)^2\), the mean over every entry.

    - `predictions`, `targets`: of one shape. `(n,)` against `(n, 1)` is refused: it would broadcast to `(n, n)`.
    """
    if np.shape(predictions) != np.shape(targets):
        raise ValueError(
            f"mean_squared_error: predictions have shape {np.shape(predictions)} and targets {np.shape(targets)}: "
            "bring them to one shape, e.g. with predictions[:, 0]."
        )
    return jnp.mean((predictions - targets) ** 2)


def check_labels(name: str, logits: jax.Array, labels: jax.Array) -> None:
    """Refuses logits and labels that do not belong together."""
    if np.shape(labels) != np.shape(logits)[:-1] or not np.shape(logits):
        raise ValueError(
            f"{name}: logits have shape {np.shape(logits)} and labels {np.shape(labels)}: labels are class numbers, "
            "of the logits' shape without its last axis (for one-hot rows: labels.argmax(-1))."
        )
    if not jnp.issubdtype(jnp.result_type(labels), jnp.integer):
        raise TypeError(f"{name}: labels are {jnp.result_type(labels)}: give integers, e.g. labels.astype(int).")
