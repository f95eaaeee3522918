"""Batches that come from elsewhere: a loader, a list, a generator, a function of the epoch."""

import inspect
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.variables import is_array, is_numeric, leaf_name, short


class Stream:
    """Batches, one a step, from anything that can be iterated.

    - `source`: something that can be iterated again and again (a list of batches, a data loader): each pass is an
      epoch; or a function `epoch -> iterable`; or an iterator (a generator), which is one pass without end or until
      it ends. A batch is a tree of arrays with a leading axis of examples, all of one shape; only that axis may be
      shorter. It is copied when it is read, so a loader may fill the same arrays again.
    - `steps_per_epoch`: batches in a pass, where `len(source)` does not say it; needed only by schedules in epochs and
      by fractions of an epoch. A pass of another length is an error.

    Batches that were read ahead of a run's end are kept for the next run from the same iterator.
    """

    def __init__(self, source: Any, steps_per_epoch: int | None = None):
        if not callable(source) and not isinstance(source, Iterable):
            raise TypeError(f"Stream({short(source)}): give something to iterate over, or a function of the epoch.")
        if callable(source) and not _takes_one(source):
            raise TypeError(f"Stream({short(source)}): a function is called with the number of the epoch, from 0 on.")
        if steps_per_epoch is not None and (
            isinstance(steps_per_epoch, bool) or not isinstance(steps_per_epoch, int) or steps_per_epoch < 1
        ):
            raise ValueError(f"Stream(steps_per_epoch={steps_per_epoch!r}): give a whole number >= 1.")
        self.source = source
        self.once = isinstance(source, Iterator)
        self.steps_per_epoch = steps_per_epoch or _known_length(source)
        self.sample: Any = None
        self.opened: Iterator[Any] | None = None
        self.waiting: list[Any] = []

    def __repr__(self) -> str:
        return f"Stream({type(self.source).__name__})"

    def epoch(self, number: int) -> Iterator[Any]:
        """The batches of one pass, as trees of NumPy arrays."""
        if number == 0 and self.opened is not None:
            opened, self.opened = self.opened, None
            return opened
        source: Any = self.source(number) if callable(self.source) else self.source
        return map(_as_arrays, iter(source))

    def first(self) -> Any:
        """The first batch; a `ValueError` in one sentence where there is none.

        It is not lost: the pass that was begun for it is the run's first one, or the iterator's `waiting` batch.
        """
        if self.sample is None:
            begun = self.epoch(0)
            self.sample = next(begun, None)
            if self.sample is None:
                raise ValueError(f"{self!r} is empty: its first pass has no batch.")
            check_batch(self.sample)
            self.waiting = [self.sample] if self.once else []
            self.opened = None if self.once else itertools.chain([self.sample], begun)
        return self.sample


def _takes_one(function: Any) -> bool:
    """Whether a function can be called with one argument, as far as one can tell."""
    try:
        inspect.signature(function).bind(0)
    except TypeError:
        return False
    except ValueError:  # of a built-in nothing is known
        return True
    return True


def _known_length(source: Any) -> int | None:
    """`len(source)` where it has one."""
    try:
        return len(source) or None
    except TypeError:
        return None


def _as_arrays(batch: Any) -> Any:
    """A batch as NumPy arrays of its own, of the dtypes that JAX will use."""

    def one(leaf):
        array = leaf if is_array(leaf) else np.asarray(leaf)
        if not is_numeric(array.dtype):
            return array
        return np.array(array, jax.dtypes.canonicalize_dtype(array.dtype))

    return jax.tree.map(one, batch)


def check_batch(batch: Any) -> None:
    """Refuses a batch without examples, with leaves of different lengths, or with anything else than numbers."""
    shapes = {leaf_name(path) if path else "": leaf.shape for path, leaf in tree_leaves_with_path(batch)}
    for name, leaf in zip(shapes, jax.tree.leaves(batch), strict=True):
        if not is_numeric(leaf.dtype):
            where = f"batch[{name}]" if name else "batch"
            raise TypeError(f"{where} of the stream has dtype {leaf.dtype}: give arrays of numbers.")
    if not shapes or any(not shape or not shape[0] for shape in shapes.values()):
        raise ValueError(f"A batch of the stream is empty or has no axis of examples: its shapes are {shapes}.")
    if len({shape[0] for shape in shapes.values()}) > 1:
        raise ValueError(f"A batch of the stream has leaves of different lengths: its shapes are {shapes}.")


def is_streamable(data: Any) -> bool:
    """Whether `data` is one object to iterate over, not a tree of arrays."""
    if isinstance(data, (str, bytes)) or not jax.tree_util.all_leaves([data]):
        return False
    return isinstance(data, Iterable) and getattr(type(data), "__array__", None) is None
