"""Streamed batches on their way into the compiled loop: read ahead while the device computes, stacked by chunk."""

import collections
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.tree_util import tree_leaves_with_path

from thalweg.core.stream import Stream, check_batch
from thalweg.core.variables import leaf_name
from thalweg.run.state import DataPlace

_STACK_BYTES = 2**23
"""Size of a stack: enough that the host's work between chunks is small, and no burden on memory."""
_MOST, _FEW = 128, 32
"""Most batches of a stack; and how many where the length of a pass is not known."""


REREAD = (
    "An iterator is read once: give batches that can be read again (a list, a loader, a function of the epoch), or an "
    "iterator that goes on. To use one up on purpose, pass stop=tw.Never()."
)
"""The cure for a stream that ended."""


class _Item(NamedTuple):
    """A batch, and whether it is the last one of its pass."""

    batch: Any
    last: bool


class Stack(NamedTuple):
    """Batches of one shape along a leading axis; the first `count` of them are there."""

    batches: Any
    count: int


class Prefetch:
    """The batches of a stream from step `step` on, read ahead; `place` is where the run stands in them.

    A failure of the stream counts when the run gets there, not when it is met while reading ahead.
    """

    def __init__(self, stream: Stream, step: int = 0):
        self.stream, self.place = stream, DataPlace(step)
        self.sample = stream.first()
        self.form = _form(self.sample)
        self.capacity = _capacity(self.sample, stream.steps_per_epoch)
        self.items: collections.deque[_Item] = collections.deque()
        self.taken: list[_Item] = []
        self.failure: Exception | None = None
        if stream.once:
            self.reader = _read_once(stream)
        else:
            known = stream.steps_per_epoch
            epoch, skipped = divmod(step, known) if known else (0, step)
            begin = epoch * (known or 0)
            self.place = DataPlace(step, epoch, begin)
            self.reader = _read_passes(stream, epoch)
            for past in range(1, skipped + 1):
                self.place = _after(self.place, next(self.reader, _Item(None, False)), begin + past)
        self.fetch(1)
        if not self.items and self.failure is None:
            raise ValueError(f"data={stream!r} has no batch after step {step}. {REREAD}")

    def pass_length(self) -> float | None:
        """Steps of the current pass: known once its end was read, or where the stream says it."""
        if self.taken and self.taken[-1].last:
            return self.place.step + len(self.taken) - self.place.since
        return self.stream.steps_per_epoch

    def epochs(self) -> float | None:
        """Passes completed, with a fraction where their length is known; None for an iterator."""
        if self.stream.once:
            return None
        known, (step, epoch, since) = self.stream.steps_per_epoch, self.place
        return epoch + ((step - since) / known if known else 0.0)

    def fetch(self, count: int) -> None:
        """Reads ahead until `count` batches are here, at most a stack of them, the stream ends, or it fails."""
        count = min(count, self.capacity)
        try:
            while len(self.items) < count and self.failure is None and (item := next(self.reader, None)) is not None:
                self.check(item.batch)
                self.items.append(item)
        except Exception as failure:
            self.failure = failure

    def take(self, limit: int) -> Stack:
        """The next batches: at most `limit`, of one shape, not beyond the end of a pass. None left: the end."""
        self.fetch(limit)
        self.taken = []
        while self.items and len(self.taken) < min(limit, self.capacity) and self.fits(self.items[0].batch):
            self.taken.append(self.items.popleft())
            if self.taken[-1].last:
                break
        if not self.taken:
            if self.failure is not None:
                raise self.failure
            return Stack(None, 0)
        whole = _batch_length(self.taken[0].batch) == _batch_length(self.sample)
        return Stack(_stack([item.batch for item in self.taken], self.capacity if whole else 1), len(self.taken))

    def fits(self, batch: Any) -> bool:
        """Whether a batch goes into the stack that has been begun; a shorter one has a stack of its own."""
        if not self.taken:
            return True
        return _batch_length(batch) == _batch_length(self.taken[0].batch) == _batch_length(self.sample)

    def confirm(self, steps: int) -> DataPlace:
        """Where the run stands after it used `steps` of the batches that were taken; the others come again."""
        self.items.extendleft(reversed(self.taken[steps:]))
        del self.taken[steps:]
        step = self.place.step + steps
        self.place = _after(self.place, self.taken[-1], step) if self.taken else self.place._replace(step=step)
        self.taken = []
        return self.place

    def close(self) -> None:
        """Leaves what was read ahead to the next run from the same iterator."""
        if self.stream.once:
            self.stream.waiting = [item.batch for item in (*self.taken, *self.items)]

    def check(self, batch: Any) -> None:
        """Refuses a batch that is not like the first; it may be shorter."""
        lengths = {leaf.shape[0] if leaf.shape else 0 for leaf in jax.tree.leaves(batch)}
        if _form(batch) == self.form and len(lengths) == 1 and 0 < lengths.pop() <= _batch_length(self.sample):
            return
        check_batch(batch)
        _explain(batch, self.sample)


def _after(place: DataPlace, item: _Item, step: int) -> DataPlace:
    """The place after the step that used this batch, which may have ended a pass."""
    return DataPlace(step, place.epoch + 1, step) if item.last else place._replace(step=step)


def _form(batch: Any) -> tuple:
    """All that batches have in common: structure, dtypes, and shapes without the leading axis."""
    leaves, structure = jax.tree.flatten(batch)
    return structure, *((leaf.shape[1:], leaf.dtype) for leaf in leaves)


def _explain(batch: Any, first: Any) -> None:
    """Raises the sentence about how a batch differs from the first."""
    structures = jax.tree.structure(batch), jax.tree.structure(first)
    if structures[0] != structures[1]:
        raise ValueError(f"A batch of the stream is a {structures[0]}, and the first was a {structures[1]}.")
    for (path, leaf), like in zip(tree_leaves_with_path(batch), jax.tree.leaves(first), strict=True):
        if _form(leaf) != _form(like) or leaf.shape[0] > like.shape[0]:
            where = f"[{leaf_name(path)}]" if path else ""
            raise ValueError(
                f"batch{where} has shape {leaf.shape} and dtype {leaf.dtype}, and the first had {like.shape} and "
                f"{like.dtype}: only the leading axis may be shorter."
            )


def _read_passes(stream: Stream, epoch: int) -> Iterator[_Item]:
    """Pass after pass, until one is empty. A batch is handed on once it is known whether another one follows."""
    known = stream.steps_per_epoch
    while True:
        batch, count = None, 0
        try:
            for following in stream.epoch(epoch):
                if count == known:
                    raise ValueError(_wrong_length(stream, f"more than {known}"))
                if batch is not None:
                    yield _Item(batch, False)
                batch, count = following, count + 1
        except Exception:
            if batch is not None:
                yield _Item(batch, False)
            raise
        if batch is None:
            return
        yield _Item(batch, True)
        if known is not None and count != known:
            raise ValueError(_wrong_length(stream, str(count)))
        epoch += 1


def _wrong_length(stream: Stream, count: str) -> str:
    """A pass of another length than was declared: a run that goes on from its state would not know where it stands."""
    return (
        f"A pass of {stream!r} has {count} batches, and its len() or steps_per_epoch= says {stream.steps_per_epoch}: "
        "give tw.Stream(source, steps_per_epoch=n) the right number, or tw.Stream(lambda epoch: source) if it varies."
    )


def _read_once(stream: Stream) -> Iterator[_Item]:
    """What an earlier run left, then the iterator."""
    while stream.waiting:
        yield _Item(stream.waiting.pop(0), False)
    for batch in stream.epoch(0):
        yield _Item(batch, False)


def _batch_length(batch: Any) -> int:
    """Examples of a batch."""
    return jax.tree.leaves(batch)[0].shape[0]


def _capacity(sample: Any, per_epoch: int | None) -> int:
    """Batches of a stack."""
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(sample))
    return max(1, min(_STACK_BYTES // max(size, 1), per_epoch or _FEW, _MOST))


def _stack(batches: list[Any], room: int) -> Any:
    """The batches along a leading axis with room for `room`; what is not filled is never read."""

    def one(*leaves):
        out = np.empty((room, *leaves[0].shape), leaves[0].dtype)
        np.stack(leaves, out=out[: len(leaves)])
        return out

    return jax.tree.map(one, *batches)
