"""Numbers of every test: float64 unless THALWEG_TEST_X64=0, strict promotion, the CPU."""

import gc
import os

os.environ.setdefault("MPLBACKEND", "Agg")
# Nearly all of the time is compiling programs that run for milliseconds: without LLVM's optimisations a third less.
os.environ["XLA_FLAGS"] = f"--xla_backend_optimization_level=0 {os.environ.get('XLA_FLAGS', '')}"

import hypothesis
import jax

jax.config.update("jax_platforms", os.environ.get("JAX_PLATFORMS", "cpu"))
jax.config.update("jax_enable_x64", os.environ.get("THALWEG_TEST_X64", "1") != "0")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The first example compiles, so no deadline on one example.
hypothesis.settings.register_profile("thalweg", deadline=None, derandomize=True)
hypothesis.settings.load_profile("thalweg")

TESTS_BETWEEN_CLEARINGS = 200
"""Every program keeps some memory maps, of which a Linux process may have 65530; thousands of tests compile more."""


class Finished:
    """How many tests this process has finished."""

    count = 0


def pytest_runtest_teardown(item, nextitem):
    """Lets compiled programs go now and then."""
    Finished.count += 1
    if Finished.count % TESTS_BETWEEN_CLEARINGS == 0:
        jax.clear_caches()
        gc.collect()
