"""Arrays on several devices stay there while a start is checked and moved within bounds."""

import os
import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.sharding import NamedSharding, PartitionSpec

    import thalweg as tw
    from thalweg.core.variables import check_start, is_sharded

    spread = NamedSharding(jax.make_mesh((2,), ("x",)), PartitionSpec("x"))
    x = jax.device_put(jnp.arange(4.0), spread)
    assert is_sharded(x) and not is_sharded(jnp.arange(4.0)) and not is_sharded(np.arange(4.0))
    assert check_start(x) is x
    bounds = tw.Bounds(0.0, 2.0)
    moved = bounds.start(x)
    assert moved.sharding.is_equivalent_to(spread, 1), moved.sharding
    assert moved.tolist() == [0, 1, 2, 2]
    assert bounds.start(moved) is moved
    spoilt = np.asarray([0, 1, np.nan, 3], np.float32)
    for array in (jax.device_put(spoilt, spread), spoilt):
        try:
            check_start(array)
        except ValueError as error:
            assert "x0[2] is nan" in str(error), error
        else:
            raise AssertionError("NaN was accepted")
    data = tw.Problem(lambda p, batch: jnp.mean((p - batch) ** 2), x).objective.data
    assert data.sharding.is_equivalent_to(spread, 1)
"""


@pytest.mark.thorough
def test_sharded_arrays_stay_on_their_devices():
    """In a process of its own, because the number of devices is fixed when JAX starts."""
    flags = "--xla_force_host_platform_device_count=2"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    script = textwrap.dedent(SCRIPT)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
