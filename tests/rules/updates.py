"""Steps of a rule without a driver, each compiled as one program by `tests.helpers.at_once`."""

from typing import Any

import jax


def first(rule: Any, grads: Any, x: Any) -> tuple[Any, Any]:
    """The first update and the state after it, of a rule of ours or of Optax's."""
    return rule.update(grads, rule.init(x), x)


def stepped(rule: Any, grads: Any, state: Any, x: Any) -> tuple[Any, Any]:
    """The next update and state."""
    return rule.update(grads, state, x)


def repeated(rule: Any, grads: Any, x: Any, steps: int) -> tuple[Any, Any]:
    """Updates along a new leading axis and the last state, where neither gradient nor parameters change."""

    def one(state, _):
        return rule.update(grads, state, x)[::-1]

    state, updates = jax.lax.scan(one, rule.init(x), length=steps)
    return updates, state


def along(rule: Any, grads: Any, x: Any) -> tuple[Any, Any]:
    """The same where the gradients change: they lie along a leading axis."""

    def one(state, grads):
        return rule.update(grads, state, x)[::-1]

    state, updates = jax.lax.scan(one, rule.init(x), grads)
    return updates, state
