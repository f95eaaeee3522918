"""Arrays that lie on several devices stay there: no iterate goes through the host, and programs know the placement."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
import thalweg as tw

mesh = jax.make_mesh((4,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
rows, everywhere = NamedSharding(mesh, PartitionSpec("d")), NamedSharding(mesh, PartitionSpec())


def bowl(x):
    return jnp.sum(jnp.arange(1.0, 9.0) * (x - 1) ** 2)


def loss(w, batch):
    features, target = batch
    return jnp.mean((features @ w - target) ** 2)


random = np.random.default_rng(0)
X, y = random.normal(size=(16, 8)).astype("f4"), random.normal(size=16).astype("f4")

for method in (tw.LBFGS(), tw.Adam(0.1)):
    stop = tw.Steps(12)
    x0 = np.zeros(8, "f4")
    alone = tw.minimize(bowl, x0, method, stop=stop)
    spread = tw.minimize(bowl, jax.device_put(x0, rows), method, stop=stop, chunk=5)
    assert spread.x.sharding.is_equivalent_to(rows, 1), spread.x.sharding
    np.testing.assert_allclose(spread.x, alone.x, rtol=1e-4, atol=1e-5)
    assert spread.best.x.sharding.is_equivalent_to(rows, 1)

data = (jax.device_put(X, NamedSharding(mesh, PartitionSpec("d", None))), jax.device_put(y, rows))
alone = tw.minimize(tw.Problem(loss, data=(X, y)), np.zeros(8, "f4"), tw.AdamW(0.1), stop=tw.Epochs(4), batch_size=8)
spread = tw.minimize(
    tw.Problem(loss, data=data), jax.device_put(np.zeros(8, "f4"), everywhere), tw.AdamW(0.1), stop=tw.Epochs(4),
    batch_size=8,
)
assert len(spread.x.devices()) == 4
np.testing.assert_allclose(spread.x, alone.x, rtol=1e-4, atol=1e-5)
print("sharded")
"""


@pytest.mark.thorough
def test_arrays_on_several_devices_stay_there():
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    environment.pop("XLA_FLAGS", None)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "sharded" in done.stdout
