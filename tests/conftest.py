"""Numbers of every test: float64 unless THALWEG_TEST_X64=0, strict promotion, the CPU; and what keeps the suite light.

Nearly all of its time is tracing and compiling programs that run for milliseconds: LLVM's optimizations, XLA's fusion
emitters and compiling in parts would only cost, and so would the lines of source that JAX notes for every operation.
"""

import gc
import os
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["XLA_FLAGS"] = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 "
    + os.environ.get("XLA_FLAGS", "")
)

import hypothesis
import jax
import pytest

jax.config.update("jax_platforms", os.environ.get("JAX_PLATFORMS", "cpu"))
jax.config.update("jax_enable_x64", os.environ.get("THALWEG_TEST_X64", "1") != "0")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_traceback_in_locations_limit", 0)

QUICK_EXAMPLES = 15
"""Most examples of a property where the second tier is left out."""
TESTS_BETWEEN_LOOKS = 50
"""Tests after which the memory maps are counted."""
MOST_MAPS = 30_000
"""Every program keeps some memory maps, of which a Linux process may have 65530; thousands of tests compile more."""
YOUNG = 100_000
"""New objects between two collections: tracing makes many that live for long."""


class Finished:
    """How many tests this process has finished."""

    count = 0


def pytest_configure(config):
    """The first example compiles, so no deadline on one example; the first tier tries fewer of them."""
    hypothesis.settings.register_profile("thorough", deadline=None, derandomize=True)
    hypothesis.settings.register_profile("quick", deadline=None, derandomize=True, max_examples=QUICK_EXAMPLES)
    hypothesis.settings.load_profile("quick" if "not thorough" in config.option.markexpr else "thorough")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in a hook of the same name
def pytest_collection_modifyitems(items):
    """All tests of one method, and all others of one file, go to one process, which compiles their programs once."""
    place = {}
    for i, item in enumerate(items):
        name = getattr(item, "callspec", None) and item.callspec.params.get("name")
        group = name if isinstance(name, str) else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
        place[item] = place.setdefault(group, i)
    items.sort(key=place.get)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)


def pytest_runtest_teardown(item, nextitem):
    """Lets compiled programs go when their memory maps become many."""
    Finished.count += 1
    if Finished.count % TESTS_BETWEEN_LOOKS == 0 and memory_maps() > MOST_MAPS:
        jax.clear_caches()
        gc.collect()


def memory_maps() -> int:
    """Those of this process; 0 where the system does not say."""
    return Path("/proc/self/maps").read_bytes().count(b"\n") if sys.platform == "linux" else 0
