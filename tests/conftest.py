"""Numbers of every test: float64 unless THALWEG_TEST_X64=0, strict promotion, the CPU."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import jax

jax.config.update("jax_platforms", os.environ.get("JAX_PLATFORMS", "cpu"))
jax.config.update("jax_enable_x64", os.environ.get("THALWEG_TEST_X64", "1") != "0")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The first example compiles, so no deadline on one example.
hypothesis.settings.register_profile("thalweg", deadline=None, derandomize=True)
hypothesis.settings.load_profile("thalweg")
