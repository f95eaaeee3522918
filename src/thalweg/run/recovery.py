"""What happens after a step whose numbers are not finite: find it, drop it, and go on, or give up.

Nothing guards the steps themselves. The chunk that ended in NaN is replayed up to the step that brought it, so a run
without accidents pays nothing, and one with them makes no step more than twice.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.core.compiled import program
from thalweg.core.iterate import Carry, strong
from thalweg.core.status import Status
from thalweg.core.stop import Stop, View
from thalweg.core.tree import is_key
from thalweg.core.types import Evals, State, make_info
from thalweg.run.engine import Engine
from thalweg.run.ledger import Ledger
from thalweg.run.programs import Segment
from thalweg.run.state import Recovered

_MOST_SKIPS = 10
"""Steps in a row that may be dropped: more are no accident."""
_MOST_ROLLBACKS = 3
"""Times that a run may go back to the same point."""


def failed(carry: Carry) -> bool:
    """Whether the loop itself has seen a number that is not finite."""
    return Status(int(carry.status)).failed


class Poisoned:
    """The same, and a look at the method's memory: moments that a lost gradient has reached, the iterate still fine.

    Leaves that are not finite at the start `before` of the chunk are of no concern.
    """

    def __init__(self, before: Carry):
        self.before = _finite_leaves(before)

    def __call__(self, carry: Carry) -> bool:
        return failed(carry) or bool((self.before & ~_finite_leaves(carry)).any())


def _finite_leaves(carry: Carry) -> np.ndarray:
    """Which floating-point leaves of the state are finite throughout."""
    found, dynamic = program(_leaves_finite, carry.state)
    return np.asarray(found.call(dynamic))


def _leaves_finite(state: State) -> jax.Array:
    """The compiled part of `_finite_leaves`."""
    leaves = [leaf for leaf in jax.tree.leaves(state) if not is_key(leaf) and jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves])


def replay(engine: Engine, segment: Segment, steps: int, ledger: Ledger) -> Carry:
    """The carry after the first `steps` steps of a segment; `ledger` notes the rows that were made again."""
    if steps == 0 and segment.carry is not None:
        return segment.carry
    carry, rows = engine.advance(segment, steps)
    if steps:
        ledger.add_again(rows.data[:steps])
    return carry


def lost_step(
    engine: Engine, segment: Segment, made: int, lost: Callable[[Carry], bool], ledger: Ledger
) -> tuple[int, Carry]:
    """The step of a segment that brought the first number that is not finite, and the carry before it.

    After `made` steps the carry was `lost`. The step that brought the NaN is usually the last one or, where a
    gradient was lost at a finite value, the one before; otherwise it is found by bisection.
    """
    good, bad = 0, made
    tries = [made - 1, made - 2]
    before = None
    while bad - good > 1 or before is None:
        middle = tries.pop(0) if tries else (good + bad) // 2
        middle = min(max(middle, good), bad - 1)
        carry = replay(engine, segment, middle, ledger)
        if middle == 0 or not lost(carry):
            good, before = middle, carry
        else:
            bad = middle
    return good, before


def dropped(stop: Stop, before: Carry, again: Carry) -> Carry:
    """The carry to go on with after a dropped step, which counts for the stop rule as a step that measured nothing."""
    found, dynamic = program(_passed_over, stop, before.stop, again)
    return found.call(dynamic)


def _passed_over(stop: Stop, state: State, again: Carry) -> Carry:
    """The compiled part of `dropped`."""
    nowhere = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), again.state.x)
    info = make_info(jnp.nan, evals=Evals(value=1, gradient=1))
    state, status = stop(state, View(again.step, info, nowhere, nowhere, again.host))
    return jax.tree.map(strong, again._replace(stop=state, status=status))


class Recovery:
    """The policy after a lost step.

    - `policy`: `"stop"`; `"skip"` drops the step: parameters, moments and schedule stay as they were before it, and
      the next batch comes; `"rollback"` also goes back to the carry that was kept last.
    """

    def __init__(self, policy: str = "stop"):
        self.policy = policy

    def after(self, done: Recovered, step: int, before: Carry, begun: Callable[[], Carry]) -> Carry | None:
        """The carry to go on with after dropping `step`; None where that was done often enough.

        `begun`: gives the carry before the first step.
        """
        if self.policy == "skip":
            done.tries = done.tries + 1 if done.dropped and done.dropped[-1] == step - 1 else 1
            most, base = _MOST_SKIPS, before
        else:
            done.tries += 1
            most, base = _MOST_ROLLBACKS, done.safe
        if done.tries > most:
            return None
        done.dropped.append(step)
        base = begun() if base is None else base
        return base._replace(step=np.asarray(step + 1, np.int32))
