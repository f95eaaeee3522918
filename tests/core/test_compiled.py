"""The cache of compiled programs: found again, bounded, and not a leak."""

import gc
import importlib
import threading
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from tests.helpers import compilations
from thalweg.core import compiled
from thalweg.run.loss_facts import inspect_loss


def test_a_program_is_found_by_structure_and_shape_not_by_value():
    def double(x, scale, power):
        return scale * x**power

    first, args = compiled.program(double, jnp.ones(2), 3.0, 2)
    again, _ = compiled.program(double, jnp.zeros(2), 5.0, 2)
    assert again is first
    assert compiled.program(double, jnp.ones(3), 3.0, 2)[0] is not first, "another shape"
    assert compiled.program(double, jnp.ones(2), 3.0, 3)[0] is not first, "another int"
    assert compiled.program(double, jnp.ones(2), 3.0, True)[0] is not compiled.program(double, jnp.ones(2), 3.0, 1)[0]
    assert float(first.call(args)[0]) == 3.0


def is_gone(reference) -> bool:
    """Whether only garbage holds it. First the youngest objects are looked at: all that live are very many."""
    return any(gc.collect(generation) >= 0 and reference() is None for generation in range(3))


@pytest.fixture
def small_heap(monkeypatch):
    """Nothing grows old meanwhile; and the programs of other tests stay in the caches."""
    monkeypatch.setattr(compiled, "_programs", compiled.Recent())
    monkeypatch.setattr(importlib.import_module("thalweg.prepare"), "_problems", compiled.Recent())
    gc.disable()
    yield
    gc.enable()


def test_fresh_losses_do_not_leak(small_heap):
    def run(scale):
        def loss(x):
            return scale * jnp.sum(x**2)

        tw.minimize(loss, np.ones(2), tw.SGD(0.1), stop=tw.Steps(1))
        return weakref.ref(loss)

    first = run(1.0)
    module = importlib.import_module("thalweg.prepare")
    for cache in (compiled._programs, module._problems):
        for i in range(compiled._CACHE_CAPACITY):
            cache.get(("another", i), object)
        assert len(cache.entries) <= compiled._CACHE_CAPACITY
    assert is_gone(first)


def test_what_cannot_be_hashed_is_named():
    class Odd:
        """Equal to everything, hence without a hash."""

        def __eq__(self, other):
            return True

        def __call__(self, x):
            return jnp.sum(x**2)

    with pytest.raises(TypeError, match=r"Odd.*cannot be hashed"):
        tw.minimize(Odd(), jnp.ones(2))


def test_threads_share_the_cache():
    results = []

    def loss(x):
        return jnp.sum((x - 1.0) ** 2)

    def work():
        results.append(np.asarray(tw.minimize(loss, np.zeros(3), tw.SGD(0.3)).x))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all((x == results[0]).all() for x in results)


def test_the_same_function_on_another_dtype_compiles_once_more():
    def loss(x):
        return jnp.sum(x**2)

    with compilations() as programs:
        for dtype in (jnp.float32, jnp.bfloat16, jnp.float32):
            result = tw.minimize(loss, jnp.ones(2, dtype), tw.SGD(0.1), stop=tw.Steps(3))
            assert result.x.dtype == dtype
    assert len([p for p in programs if "flat" in p]) == 2


def test_a_problem_takes_its_data_and_plans_with_it(small_heap):
    def run():
        problem = tw.Problem(lambda w, batch: jnp.mean((batch - w) ** 2), np.arange(4.0))
        first, again = (tw.minimize(problem, np.ones(()), tw.SGD(0.1), stop=tw.Steps(1)) for _ in range(2))
        assert first.method is again.method, "one plan"
        return weakref.ref(problem)

    assert is_gone(run())


def level(loss, x0) -> int | None:
    """The level of LLVM's optimizations that a run of the loss is given; None for the default."""
    chosen, real = [], compiled.options

    def watch(flat, dynamic, size):
        chosen.append(real(flat, dynamic, size) or {})
        if size.counted:  # the run itself: what is compiled does not matter
            raise InterruptedError
        return chosen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "options", watch)
        with pytest.raises(InterruptedError):
            tw.minimize(loss, x0, tw.LBFGS(), stop=tw.Steps(2))
    return chosen[-1].get("xla_backend_optimization_level")


def test_what_does_next_to_nothing_is_compiled_in_haste_and_nothing_else_is():
    def little(x):
        return jnp.sum((x - 1.0) ** 2)

    def wide(x):
        return jnp.sum((jnp.outer(x, x) - 1.0) ** 2)

    def endless(x):  # how often it turns is not known
        return jax.lax.while_loop(lambda s: s[0] < 1, lambda s: (s[0] + 1, s[1]), (0, x))[1] ** 2

    def repeated(x):  # the same twenty thousand times
        return jax.lax.scan(lambda total, _: (total + jnp.sum(x**2), None), 0.0, length=20_000)[0]

    assert level(little, np.ones(3)) == 0
    assert level(wide, np.ones(3)) == 0
    assert level(wide, np.ones(200)) is None
    assert level(repeated, np.ones(3)) is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "FEW_CORES", 10**6)
        assert compiled.options(little, [jnp.ones(3)], compiled.Size()) == {
            "xla_cpu_use_fusion_emitters": False,
            "xla_cpu_parallel_codegen_split_count": 1,
        }
        assert compiled.options(little, [jnp.ones(compiled.SMALL + 1)], compiled.Size(counted=True)) is None
    facts = inspect_loss(tw.Problem(endless), jnp.ones(()), None)
    assert not facts.straight
