"""The same numbers as PyTorch's optimizers, and as the collection pytorch_optimizer's where PyTorch has none."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, iterates

PATHS = json.loads(Path(__file__).with_name("torch_paths.json").read_text())
OURS = {
    "sgd": tw.SGD(0.05),
    "momentum": tw.Momentum(0.05),
    "momentum, nesterov": tw.Momentum(0.05, nesterov=True),
    "adam": tw.Adam(0.05, 0.8, 0.9, 1e-6),
    "adamw": tw.AdamW(0.05, 0.8, 0.9, weight_decay=0.1),
    "adafactor": tw.Adafactor(0.1, min_size=1),
    "adam-mini": tw.AdamMini(0.05, 0.8, 0.9, 1e-6, weight_decay=0.1, axis=0),
    "lars": tw.LARS(0.05, 0.8, weight_decay=0.1, trust=0.5, mask=tw.matrices),
    "lookahead": tw.Lookahead(tw.Momentum(0.05, 0.9), 3, 0.6),
    "mars": tw.MARS(tw.AdamW(0.05, 0.8, 0.9, 0.0, weight_decay=0.1), 0.1, 0.8),
    "mars, cautious": tw.Cautious(tw.MARS(tw.Adam(0.05, 0.8, 0.9, 0.0), 0.1, 0.8)),
    "prodigy": tw.Prodigy(0.9, 0.8, 0.9, eps=1e-6, weight_decay=0.1, d0=0.01),
    "prodigy, safeguard": tw.Prodigy(0.9, 0.8, 0.9, 0.7, d0=0.01, growth=1.5, safeguard=True),
    "dadapt-adam": tw.DAdaptAdam(0.9, 0.8, 0.9, 1e-6, weight_decay=0.1, d0=0.01),
}
# pytorch_optimizer computes Adam-mini in float32, and adds 1e-15 to the squares of MARS.
CLOSE = {"adam-mini": 1e-7, "mars": 1e-10, "mars, cautious": 1e-10}
W = np.asarray([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
B = np.asarray([0.3, -0.6, 0.9])


def loss(x):
    """As in `make_torch_paths.py`."""
    w, b = x
    r = jnp.asarray([1.0, -2.0]) @ w + b
    return jnp.sum(r**4) / 100 + jnp.sum(w**2) / 2 + jnp.sum((b - 1) ** 2) / 2


def test_every_path_has_a_rule():
    assert set(PATHS) == set(OURS)


@pytest.mark.skipif(not X64, reason="the numbers are those of float64")
@pytest.mark.parametrize("name", OURS)
def test_equals_torch(name):
    w, b = iterates(tw.Problem(loss), tw.FirstOrder(OURS[name]), (W, B), len(PATHS[name]))
    close = CLOSE.get(name, 1e-12)
    np.testing.assert_allclose(w[1:], [step[0] for step in PATHS[name]], rtol=close, atol=close)
    np.testing.assert_allclose(b[1:], [step[1] for step in PATHS[name]], rtol=close, atol=close)
