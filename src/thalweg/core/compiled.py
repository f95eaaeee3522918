"""The one place outside the driver where a program is compiled.

A program is kept by what is static in its arguments (structure, ints, strings, functions) and by the shapes and
placements of the rest, so it is compiled once. The cache is bounded, so that a fresh lambda on every call does not
leak: the least recently used program goes, and with it what it closed over.
"""

import collections
import functools
import os
import sys
import threading
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import numpy as np

from thalweg.core.jaxprs import work_a_turn
from thalweg.core.variables import placement

_CACHE_CAPACITY = 128
"""Entries of a cache."""
FEW_CORES = 2
"""Up to so many, compiling in parts gains nothing."""
_LITTLE = 10_000
"""Entries computed a turn up to which a program is all compilation."""
SMALL = 20_000
"""Entries in the largest argument up to which compiling fast matters more than running fast."""


class Recent:
    """A bounded cache of what was used most recently; threads may share it."""

    def __init__(self, capacity: int = _CACHE_CAPACITY):
        self.capacity, self.lock = capacity, threading.Lock()
        self.entries: collections.OrderedDict[Hashable, Any] = collections.OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The entry of that key, made if it is not there. Two threads may both make it; one of the two is kept."""
        with self.lock:
            if key in self.entries:
                self.entries.move_to_end(key)
                return self.entries[key]
        made = make()
        with self.lock:
            kept = self.entries.setdefault(key, made)
            if len(self.entries) > self.capacity:
                self.entries.popitem(last=False)
        return kept


_programs = Recent()


def _is_traced(leaf: Any) -> bool:
    """Arrays and floats are traced; everything else is part of the program."""
    return _traced_type(type(leaf))


@functools.cache
def _traced_type(kind: type) -> bool:
    """`_is_traced` for all leaves of a type: asking a type whether it is a `jax.Array` takes a microsecond."""
    return issubclass(kind, (jax.Array, float, np.ndarray, np.generic))


class Program:
    """`function` of the traced leaves of its arguments, compiled at the first call.

    `fresh` until then; `notes` holds what callers want to remember beside it.
    """

    def __init__(self, function: Callable, treedef: Any, static: tuple, dynamic: list[Any], size: "Size"):
        def flat(dynamic):
            fill = iter(dynamic)
            return function(*jax.tree.unflatten(treedef, [next(fill) if s is None else s[0] for s in static]))

        self.call = jax.jit(flat, compiler_options=options(flat, dynamic, size))
        self.fresh = True
        self.notes: dict[str, Any] = {}


class Size(NamedTuple):
    """What decides how a program is compiled.

    `lanes`: how many runs share its arguments; what is small is judged for one of them. `counted`: the work of a turn
    can be read off the program, because what the user wrote has no loop of its own.
    """

    lanes: int = 1
    counted: bool = False


def program(function: Callable, *args: Any, size: Size = Size()) -> tuple[Program, list[Any]]:
    """The compiled form of `function` for arguments like these, and the arguments as it takes them."""
    leaves, treedef = jax.tree.flatten(args)
    dynamic = [leaf for leaf in leaves if _is_traced(leaf)]
    static = tuple(None if _is_traced(leaf) else (leaf, type(leaf)) for leaf in leaves)
    shapes = tuple(float if isinstance(leaf, float) else (leaf.shape, leaf.dtype, placement(leaf)) for leaf in dynamic)
    key = (function, treedef, static, shapes)
    if not is_hashable(key):
        culprit = next((s[0] for s in static if s is not None and not is_hashable(s[0])), treedef)
        raise TypeError(f"{culprit!r} cannot be hashed, so no compiled program can be kept for it.")
    return _programs.get(key, lambda: Program(function, treedef, static, dynamic, size)), dynamic


class Call:
    """A program for arguments of which the first one stays: only the others are looked at again at each call.

    They must keep their structure, shapes and dtypes. Looking at all of them costs 0.2 ms where a model has four
    arrays, which is as much as a short step.
    """

    def __init__(self, function: Callable, first: Any, *rest: Any, size: Size = Size()):
        self.first, self.dynamic = first, [leaf for leaf in jax.tree.leaves(first) if _is_traced(leaf)]
        self.program, _ = program(function, first, *rest, size=size)

    def arguments(self, *rest: Any) -> list[Any]:
        """The arguments as the program takes them."""
        return self.dynamic + [leaf for leaf in jax.tree.leaves(rest) if _is_traced(leaf)]


def options(flat: Callable, dynamic: list[Any], size: Size) -> dict[str, Any] | None:
    """XLA's options for a program of these arguments.

    On the CPU a small program is all compilation: without the fusion emitters it compiles in a third of the time and
    runs as fast (L-BFGS on 10 variables: 0.42 s for 1.2 s). A program that works on much data would lose 6 to 9 %.
    XLA hands the kernels to LLVM in 32 parts, for as many threads; where two cores or fewer are there one part takes a
    sixth less. A program that does next to nothing a turn is compiled without LLVM's optimizations as well, in half the
    time or less: an entry then takes 3 ns more, so 10 000 turns of the most work that counts as little make up for it.
    """
    largest = max((leaf.size for leaf in dynamic if isinstance(leaf, (jax.Array, np.ndarray))), default=0)
    if largest > size.lanes * SMALL or jax.default_backend() != "cpu":
        return None
    chosen: dict[str, Any] = {"xla_cpu_use_fusion_emitters": False}
    if _cores() <= FEW_CORES:
        chosen["xla_cpu_parallel_codegen_split_count"] = 1
    if size.counted and work_a_turn(jax.jit(flat).trace(dynamic).jaxpr) <= _LITTLE:  # traced once: the call finds it
        chosen["xla_backend_optimization_level"] = 0
    return chosen


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def is_hashable(value: Any) -> bool:
    """Whether `hash(value)` works."""
    try:
        hash(value)
    except TypeError:
        return False
    return True
