"""What a traced program holds: how much it computes a turn, and which operations stand in it."""

import math
from typing import Any

import jax
from jax.extend import core as jex

_READS_ALL = ("arg", "cum", "reduce", "sort")
"""Beginnings of the names of operations that look at every entry of their input, however small their output."""


def inner(eqn: Any) -> list[Any]:
    """The programs nested in an equation's parameters."""
    programs = (jex.Jaxpr, jex.ClosedJaxpr)
    found = jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda value: isinstance(value, programs))
    return [p.jaxpr if isinstance(p, jex.ClosedJaxpr) else p for p in found if isinstance(p, programs)]


def live(closed: Any) -> Any:
    """The program without the operations on which no output depends.

    XLA would find them too, but to lower them takes time: random numbers that nobody uses are most of what a step of
    gradient descent is lowered to.
    """
    jaxpr, kept = closed.jaxpr, []
    needed = {v for v in jaxpr.outvars if not isinstance(v, jex.Literal)}
    for eqn in reversed(jaxpr.eqns):
        if eqn.effects or not needed.isdisjoint(eqn.outvars):
            kept.append(eqn)
            needed |= {v for v in eqn.invars if not isinstance(v, jex.Literal)}
    return jex.ClosedJaxpr(jaxpr.replace(eqns=kept[::-1]), closed.consts)


def holds(jaxpr: Any, *names: str) -> bool:
    """Whether an operation of one of these names stands anywhere in the program."""
    return any(eqn.primitive.name in names or any(holds(sub, *names) for sub in inner(eqn)) for eqn in jaxpr.eqns)


def work_a_turn(jaxpr: Any) -> float:
    """Entries that one turn of the program's loops computes, or all of it where it has none.

    Of a loop within a loop one turn is counted, and all turns where their number is known.
    """
    return sum(map(work, _bodies(jaxpr))) if holds(jaxpr, "while") else work(jaxpr)


def _bodies(jaxpr: Any) -> list[Any]:
    """The tests and bodies of the outermost loops."""
    nested = [(eqn.primitive.name == "while", sub) for eqn in jaxpr.eqns for sub in inner(eqn)]
    return [body for is_body, sub in nested for body in ([sub] if is_body else _bodies(sub))]


def work(jaxpr: Any) -> float:
    """Entries that the program computes; a product of matrices counts its multiplications."""
    return sum(map(_cost, jaxpr.eqns))


def _cost(eqn: Any) -> float:
    """Entries that one operation computes."""
    name, within = eqn.primitive.name, [work(sub) for sub in inner(eqn)]
    if name == "cond":
        return max(within)
    if within:
        return sum(within) * (eqn.params["length"] if name == "scan" else 1)
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        return _size(eqn.outvars[0]) * math.prod(eqn.invars[0].aval.shape[axis] for axis in contracted)
    if name == "dynamic_update_slice":
        return _size(eqn.invars[1])
    read = max(map(_size, eqn.invars), default=0) if name.startswith(_READS_ALL) else 0
    return max(read, sum(map(_size, eqn.outvars)))


def _size(var: Any) -> int:
    """Entries of an array; 1 for what is none."""
    return math.prod(getattr(var.aval, "shape", ()))
