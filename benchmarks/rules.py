"""A step of every rule beside its namesake in Optax: time, memory, compile time; AdamW beside PyTorch's fused kernel.

One jitted step, parameters and state donated, in float32: on one array, on 100 arrays. Contenders take turns.
"""

import argparse
import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from timing import Row, interleaved, machine, ratio, show, verdict

import thalweg as tw

TARGET = 1.05
PAIRS = {
    "SGD": (tw.SGD(1e-3), optax.sgd(1e-3)),
    "Momentum": (tw.Momentum(1e-3), optax.sgd(1e-3, 0.9)),
    "Adam": (tw.Adam(), optax.adam(1e-3)),
    "AdamW": (tw.AdamW(), optax.adamw(1e-3, weight_decay=1e-2)),
    "Clip(SGD)": (tw.Clip(tw.SGD(1e-3)), optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(1e-3))),
}
"""Ours and Optax's."""


def tree(size: int, arrays: int, seed: int = 0) -> dict:
    """So many normal numbers in so many arrays."""
    rng = np.random.default_rng(seed)
    return {f"{i:03}": jnp.asarray(rng.standard_normal(size // arrays, np.float32)) for i in range(arrays)}


def step(rule, grads, params, state):
    """The update, added."""
    update, state = rule.update(grads, state, params)
    return jax.tree.map(jnp.add, params, update), state


class Contender:
    """A compiled step that consumes its own parameters and state, as a training loop does."""

    def __init__(self, rule, size: int, arrays: int):
        self.params = tree(size, arrays)
        self.state = jax.jit(rule.init)(self.params)
        self.grads = tree(size, arrays, seed=1)
        self.step = jax.jit(functools.partial(step, rule), donate_argnums=(1, 2))

    def __call__(self):
        self.params, self.state = jax.block_until_ready(self.step(self.grads, self.params, self.state))


def times(size: int, arrays: int, rounds: int, names: list[str]) -> None:
    """A table of one step's time."""
    rows = []
    for name in names:
        contenders = {side: Contender(rule, size, arrays) for side, rule in zip(SIDES, PAIRS[name], strict=True)}
        for contender in contenders.values():
            contender()
        seconds = interleaved(contenders, rounds)
        remark = verdict(ratio(seconds["thalweg"], seconds["optax"]), TARGET)
        rows += [Row(f"{name}, {side}", seconds[side], remark if side == "thalweg" else "") for side in SIDES]
    show(f"a step on {size:.0e} parameters in {arrays} array(s)", rows)


def memory(size: int, names: list[str]) -> None:
    """What a step holds beside gradients, in units of the parameters."""
    print("\nmemory of a step in units of the parameters: arguments, of which written in place, temporary")
    like = jax.eval_shape(lambda: tree(size, 100))
    for name in names:
        for side, rule in zip(SIDES, PAIRS[name], strict=True):
            state = jax.eval_shape(rule.init, like)
            compiled = jax.jit(functools.partial(step, rule), donate_argnums=(1, 2)).lower(like, like, state).compile()
            found = compiled.memory_analysis()
            parts = (found.argument_size_in_bytes, found.alias_size_in_bytes, found.temp_size_in_bytes)
            print(f"  {name + ', ' + side:24}" + "".join(f"{part / (4 * size):8.3f}" for part in parts))


def compile_times(leaves: int, rounds: int, names: list[str]) -> None:
    """Tracing and compiling a step on a tree of many small leaves."""
    like, rows = jax.eval_shape(lambda: tree(16 * leaves, leaves)), []
    for name in names:
        seconds = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side, rule in zip(SIDES, PAIRS[name], strict=True):
                state = jax.eval_shape(rule.init, like)
                began = time.perf_counter()
                jax.jit(functools.partial(step, rule)).lower(like, like, state).compile()
                seconds[side].append(time.perf_counter() - began)
        remark = verdict(ratio(seconds["thalweg"], seconds["optax"]), 1.0)
        rows += [Row(f"{name}, {side}", seconds[side], remark if side == "thalweg" else "") for side in SIDES]
    show(f"compiling a step on {leaves} leaves", rows)


def fused_torch(size: int, rounds: int) -> None:
    """AdamW beside PyTorch's fused kernel, where PyTorch is installed."""
    try:
        import torch
    except ImportError:
        print("\nPyTorch is not installed: its fused AdamW is left out.")
        return
    params = torch.randn(size, requires_grad=True)
    params.grad = torch.randn(size)
    optimizer = torch.optim.AdamW([params], 1e-3, weight_decay=1e-2, fused=True)
    contenders = {side: Contender(rule, size, 1) for side, rule in zip(SIDES, PAIRS["AdamW"], strict=True)} | {
        "torch, fused": optimizer.step
    }
    for contender in contenders.values():
        contender()
    seconds = interleaved(contenders, rounds)
    rows = [
        Row(side, times, f"{ratio(times, seconds['torch, fused']):.2f} of torch") for side, times in seconds.items()
    ]
    show(f"AdamW on {size:.0e} parameters in one array, {torch.get_num_threads()} threads of torch", rows)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, default=50_000_000)
    parser.add_argument("--only", nargs="*", default=list(PAIRS))
    given = parser.parse_args()
    machine()
    for arrays in (1, 100):
        times(given.size, arrays, given.rounds, given.only)
    fused_torch(given.size, given.rounds)
    memory(given.size, given.only)
    compile_times(300, 5, given.only)


SIDES = ("thalweg", "optax")

if __name__ == "__main__":
    main()
