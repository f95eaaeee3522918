"""The same numbers as PyTorch's optimizers, and as the collection pytorch_optimizer's where PyTorch has none."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import X64, iterates, sampled

PATHS = json.loads(Path(__file__).with_name("torch_paths.json").read_text())
OURS = {
    "sgd": tw.SGD(0.05),
    "momentum": tw.Momentum(0.05),
    "momentum, nesterov": tw.Momentum(0.05, nesterov=True),
    "adam": tw.Adam(0.05, 0.8, 0.9, 1e-6),
    "adamw": tw.AdamW(0.05, 0.8, 0.9, weight_decay=0.1),
    "adagrad": tw.AdaGrad(0.3, 1e-3, "outside", 0.2),
    "rmsprop": tw.RMSProp(0.02, 0.8, 1e-3, "outside"),
    "rmsprop, centered": tw.RMSProp(0.02, 0.8, 1e-3, "outside", centered=True),
    "rmsprop, momentum": tw.RMSProp(0.02, 0.8, 1e-3, "outside", momentum=0.7),
    "adadelta": tw.AdaDelta(0.9, 0.8, 1e-3),
    "nadam": tw.NAdam(0.05, 0.8, 0.9, 1e-6),
    "radam": tw.RAdam(0.05, 0.8, 0.9, 0.0),
    "adan": tw.Adan(0.05, 0.8, 0.7, 0.9, 1e-6, weight_decay=0.1),
    "adopt": tw.ADOPT(0.05, 0.8, 0.9),
    "ademamix": tw.AdEMAMix(0.05, 0.8, 0.9, 0.99, 3.0, 1e-6, weight_decay=0.1, warmup=6),
    "lion": tw.Lion(0.05, 0.8, 0.9, weight_decay=0.1),
    "sign-sgd": tw.SignSGD(0.05),
    "signum": tw.SignSGD(0.05, 0.8),
    "adafactor": tw.Adafactor(0.1, min_size=1),
    "adam-mini": tw.AdamMini(0.05, 0.8, 0.9, 1e-6, weight_decay=0.1, outputs="first"),
    "lars": tw.LARS(0.05, 0.8, weight_decay=0.1, trust=0.5, mask=tw.matrices),
    "lookahead": tw.Lookahead(tw.Momentum(0.05, 0.9), 3, 0.6),
    "mars": tw.MARS(tw.AdamW(0.05, 0.8, 0.9, 0.0, weight_decay=0.1), 0.1, 0.8),
    "mars, cautious": tw.Cautious(tw.MARS(tw.Adam(0.05, 0.8, 0.9, 0.0), 0.1, 0.8)),
    "prodigy": tw.Prodigy(0.9, 0.8, 0.9, eps=1e-6, weight_decay=0.1, d0=0.01),
    "prodigy, safeguard": tw.Prodigy(0.9, 0.8, 0.9, 0.7, d0=0.01, growth=1.5, safeguard=True),
    "dadapt-adam": tw.DAdaptAdam(0.9, 0.8, 0.9, 1e-6, weight_decay=0.1, d0=0.01),
    "asam": tw.ASAM(tw.SGD(0.05), 0.3, 0.0),
    "shampoo": tw.Partition({"0": tw.Shampoo(0.1, 0.0, eps=1e-14, every=1), "1": tw.SGD(0.05)}),
    "soap": tw.SOAP(0.05, 0.8, 0.9, weight_decay=0.0, every=100),
    "soap, refreshed": tw.SOAP(0.05, 0.8, 0.9, weight_decay=0.0, every=2),
}
CLOSE = {"adam-mini": 1e-7, "mars": 1e-10, "mars, cautious": 1e-10}
"""pytorch_optimizer computes Adam-mini in float32, and adds 1e-15 to the squares of MARS."""
CLOSE |= {"asam": 1e-7, "shampoo": 1e-9, "soap": 1e-6, "soap, refreshed": 1e-6}
"""Their SAM takes norms in float32. Shampoo's epsilon is added at the start, ours relative to the largest value, and so
both are tiny here. SOAP's is added before the correction, ours after, and their QR is in float32."""
W = np.asarray([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
B = np.asarray([0.3, -0.6, 0.9])


def loss(x):
    """As in `make_torch_paths.py`."""
    w, b = x
    r = jnp.asarray([1.0, -2.0]) @ w + b
    return jnp.sum(r**4) / 100 + jnp.sum(w**2) / 2 + jnp.sum((b - 1) ** 2) / 2


FIRST = (
    "momentum, nesterov",
    "adamw",
    "rmsprop, centered",
    "nadam",
    "adam-mini",
    "mars, cautious",
    "prodigy",
    "shampoo",
)
"""In every run of the tests; the twins know all of them."""
OTHERWISE = {"amsgrad": tw.AMSGrad(0.05, 0.8, 0.9, 1e-6)}
"""Where PyTorch does something else: each is told apart below."""


def test_every_path_has_a_rule():
    assert set(PATHS) == set(OURS) | set(OTHERWISE)


@pytest.mark.skipif(not X64, reason="the numbers are those of float64")
@pytest.mark.parametrize("name", sampled(OURS, FIRST))
def test_equals_torch(name):
    method, close = OURS[name], CLOSE.get(name, 1e-12)
    solver = tw.FirstOrder(method) if isinstance(method, tw.Rule) else method
    w, b = iterates(tw.Problem(loss), solver, (W, B), len(PATHS[name]))
    np.testing.assert_allclose(w[1:], [step[0] for step in PATHS[name]], rtol=close, atol=close)
    np.testing.assert_allclose(b[1:], [step[1] for step in PATHS[name]], rtol=close, atol=close)


@pytest.mark.skipif(not X64, reason="the numbers are those of float64")
def test_amsgrad_of_torch_takes_its_maximum_before_the_correction():
    """Ours after it. Where the gradients shrink, as here, the bias of a young mean hides how large they were."""
    steps, bias = PATHS["amsgrad"], np.asarray([step[1] for step in PATHS["amsgrad"]])
    x, m, v, largest = (W, B), [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    gradient = jax.jit(jax.grad(loss))
    for t, (w, b) in enumerate(steps, 1):
        grads = [np.asarray(grad) for grad in gradient(x)]
        m = [0.8 * old + 0.2 * g for old, g in zip(m, grads, strict=True)]
        v = [0.9 * old + 0.1 * g**2 for old, g in zip(v, grads, strict=True)]
        largest = [np.maximum(old, new) for old, new in zip(largest, v, strict=True)]
        divisors = [np.sqrt(u / (1 - 0.9**t)) + 1e-6 for u in largest]
        x = tuple(p - 0.05 * a / (1 - 0.8**t) / d for p, a, d in zip(x, m, divisors, strict=True))
        np.testing.assert_allclose(x[0], w, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(x[1], b, rtol=1e-12, atol=1e-12)
    ours = iterates(tw.Problem(loss), tw.FirstOrder(OTHERWISE["amsgrad"]), (W, B), len(steps))[1]
    ours = np.asarray(ours)[1:]
    np.testing.assert_allclose(ours[0], bias[0], rtol=1e-12)
    assert np.abs(ours[-1] - bias[-1]).max() > 1e-3
