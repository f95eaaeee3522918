"""A step of every rule compared with Optax: time, memory and compile time; AdamW with PyTorch's fused kernel.

One jitted step in float32 with donated parameters and state, on one array and on 100 arrays. Contenders take turns.
"""

import argparse
import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
from timing import Row, interleaved, machine, ratio, show, verdict

import thalweg as tw

TARGET = 1.05
PAIRS = {
    "SGD": (tw.SGD(1e-3), optax.sgd(1e-3)),
    "Momentum": (tw.Momentum(1e-3), optax.sgd(1e-3, 0.9)),
    "AdaGrad": (tw.AdaGrad(1e-2, initial_accumulator=0.1), optax.adagrad(1e-2)),
    "RMSProp": (tw.RMSProp(1e-3), optax.rmsprop(1e-3)),
    "AdaDelta": (tw.AdaDelta(1.0), optax.adadelta(1.0)),
    "Adam": (tw.Adam(1e-3), optax.adam(1e-3)),
    "AdamW": (tw.AdamW(1e-3), optax.adamw(1e-3, weight_decay=1e-2)),
    "NAdam": (tw.NAdam(1e-3), optax.nadam(1e-3)),
    "AMSGrad": (tw.AMSGrad(1e-3), optax.amsgrad(1e-3)),
    "RAdam": (tw.RAdam(1e-3), optax.radam(1e-3)),
    "Adan": (tw.Adan(1e-3), optax.adan(1e-3)),
    "ADOPT": (tw.ADOPT(1e-3), optax.contrib.adopt(1e-3)),
    "AdEMAMix": (tw.AdEMAMix(1e-3), optax.contrib.ademamix(1e-3)),
    "Lion": (tw.Lion(1e-4), optax.lion(1e-4)),
    "SignSGD": (tw.SignSGD(1e-4), optax.sign_sgd(1e-4)),
    "Clip(SGD)": (tw.Clip(tw.SGD(1e-3)), optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(1e-3))),
}
"""Name -> our rule and Optax's."""
MATRICES = {
    "AdamW": tw.AdamW(1e-3),
    "Muon": tw.Muon(1e-2),
    "SOAP, basis every 10 steps": tw.SOAP(1e-3),
    "Shampoo, roots every 20 steps": tw.Shampoo(1e-2, block_size=256),
}
CYCLE = 20
"""The number of steps of a matrix rule that are timed together: the longest period between two decompositions."""


@functools.cache
def tree(size: int, arrays: int, seed: int = 0) -> dict:
    """Returns `size` normal numbers in `arrays` arrays; they are made once, and copied before they are donated."""
    rng = np.random.default_rng(seed)
    return {f"{i:03}": jnp.asarray(rng.standard_normal(size // arrays, np.float32)) for i in range(arrays)}


def shapes(params: dict) -> dict:
    """Returns the shapes of a tree."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), params)


def step(rule, grads, params, state):
    """Returns the parameters after one update, and the new state."""
    update, state = rule.update(grads, state, params)
    return jax.tree.map(jnp.add, params, update), state


class Contender:
    """A compiled step that donates its own parameters and state, as a training loop does."""

    def __init__(self, rule, size: int, arrays: int):
        self.params = jax.tree.map(jnp.copy, tree(size, arrays))
        self.state = jax.jit(rule.init)(self.params)
        self.grads = tree(size, arrays, seed=1)
        self.step = jax.jit(functools.partial(step, rule), donate_argnums=(1, 2))

    def __call__(self):
        self.params, self.state = jax.block_until_ready(self.step(self.grads, self.params, self.state))


def times(size: int, arrays: int, rounds: int, names: list[str]) -> None:
    """Prints a table of the time of one step."""
    rows = []
    for name in names:
        contenders = {side: Contender(rule, size, arrays) for side, rule in zip(SIDES, PAIRS[name], strict=True)}
        for contender in contenders.values():
            contender()
        seconds = interleaved(contenders, rounds)
        remark = verdict(ratio(seconds["thalweg"], seconds["optax"]), TARGET)
        rows += [Row(f"{name}, {side}", seconds[side], remark if side == "thalweg" else "") for side in SIDES]
    show(f"a step on {size:.0e} parameters in {arrays} array(s)", rows)


def matrix_rules(shape: tuple[int, int], count: int, rounds: int) -> None:
    """Prints the time of a step of the matrix rules, relative to AdamW."""
    rng = np.random.default_rng(0)
    rows = {}
    for name, rule in MATRICES.items():
        contender = Contender(rule, 1, 1)
        contender.params, contender.grads = (
            {i: jnp.asarray(rng.standard_normal(shape, np.float32)) for i in range(count)} for _ in range(2)
        )
        contender.state = jax.jit(rule.init)(contender.params)
        for _ in range(2 * CYCLE + 1):  # past the early decompositions
            contender()
        rows[name] = contender
    seconds = interleaved(rows, rounds, inner=CYCLE)
    table = [Row(name, times, f"{ratio(times, seconds['AdamW']):.1f} of AdamW") for name, times in seconds.items()]
    show(f"a step on {count} matrices of {shape[0]} x {shape[1]}, the mean of {CYCLE} steps", table)


def memory(size: int, names: list[str]) -> None:
    """Prints the memory of a step besides the gradients, in units of the parameters."""
    print("\nmemory of a step in units of the parameters: arguments, of which written in place, temporary")
    like = shapes(tree(size, 100))
    for name in names:
        for side, rule in zip(SIDES, PAIRS[name], strict=True):
            state = jax.eval_shape(rule.init, like)
            compiled = jax.jit(functools.partial(step, rule), donate_argnums=(1, 2)).lower(like, like, state).compile()
            found = compiled.memory_analysis()
            parts = (found.argument_size_in_bytes, found.alias_size_in_bytes, found.temp_size_in_bytes)
            print(f"  {name + ', ' + side:24}" + "".join(f"{part / (4 * size):8.3f}" for part in parts))


def compile_times(leaves: int, rounds: int, names: list[str]) -> None:
    """Prints the time to trace and compile a step on a tree with many small leaves."""
    like, rows = shapes(tree(16 * leaves, leaves)), []
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
    """Compares AdamW with PyTorch's fused kernel, if PyTorch is installed."""
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
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--size", type=int, default=50_000_000)
    parser.add_argument("--only", nargs="*", default=list(PAIRS))
    given = parser.parse_args()
    machine()
    for arrays in (1, 100):
        times(given.size, arrays, given.rounds, given.only)
    fused_torch(given.size, given.rounds)
    matrix_rules((256, 256), 8, given.rounds)
    memory(given.size, given.only)
    compile_times(300, 3, given.only)


SIDES = ("thalweg", "optax")

if __name__ == "__main__":
    main()
