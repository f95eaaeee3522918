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
    "asam": tw.ASAM(tw.SGD(0.05), 0.3, 0.0),
    "shampoo": tw.Partition({"0": tw.Shampoo(0.1, 0.0, eps=1e-14, every=1), "1": tw.SGD(0.05)}),
    "soap": tw.SOAP(0.05, 0.8, 0.9, weight_decay=0.0, every=100),
    "soap, refreshed": tw.SOAP(0.05, 0.8, 0.9, weight_decay=0.0, every=2),
}
CLOSE = {"asam": 1e-7, "shampoo": 1e-9, "soap": 1e-6, "soap, refreshed": 1e-6}
"""Their SAM takes norms in float32. Shampoo's epsilon is added at the start, ours relative to the largest value, and so
both are tiny here. SOAP's is added before the correction, ours after, and their QR is in float32."""
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
    method, close = OURS[name], CLOSE.get(name, 1e-12)
    solver = tw.FirstOrder(method) if isinstance(method, tw.Rule) else method
    w, b = iterates(tw.Problem(loss), solver, (W, B), len(PATHS[name]))
    np.testing.assert_allclose(w[1:], [step[0] for step in PATHS[name]], rtol=close, atol=close)
    np.testing.assert_allclose(b[1:], [step[1] for step in PATHS[name]], rtol=close, atol=close)
