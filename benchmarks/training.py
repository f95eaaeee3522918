"""What training on batches costs: beside a hand-written loop around Optax, and beside PyTorch.

1. Digits: a network of one hidden layer on 1437 images, batches of 64 (the last one of 29), 30 epochs of AdamW with
   warm-up and cosine. By hand: one compiled program, a `lax.scan` over epochs around a `lax.scan` over batches and the
   short last batch, shuffled in the program; or without shuffling, the orders made by NumPy and passed in.
2. PyTorch: the usual loop over shuffled batches with fused AdamW.
3. The same batches from a stream, and what the host works between chunks.
4. A small network of two convolutions, batches of 128: by hand a Python loop over a jitted step.
5. The first call of a process, compilation included; and the processor time that compiling takes.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from timing import Row, fresh, interleaved, machine, ratio, show, verdict

import thalweg as tw
from thalweg.losses import cross_entropy
from thalweg.problems.digits import load, risk, start

EPOCHS, SIZE, PEAK, DECAY = 30, 64, 3e-3, 1e-2
WARMUP = 2
"""Epochs of warm-up."""


def schedule(per_epoch: int) -> tw.schedules.WarmupCosine:
    """The rate, the same function for everybody."""
    return tw.schedules.WarmupCosine(PEAK, warmup=WARMUP * per_epoch, steps=EPOCHS * per_epoch)


def data() -> Any:
    """Images and labels of the training part."""
    return load().train


def steps(examples: int, size: int) -> int:
    """Batches an epoch."""
    return -(-examples // size)


def ours(loss: Callable, batches: Any, x0: Any, size: int, epochs: int = EPOCHS) -> tw.Result:
    """By this library."""
    rate = schedule(steps(len(batches[0]), size))
    method = tw.AdamW(rate, weight_decay=DECAY)
    return tw.minimize(tw.Problem(loss, batches), x0, method, batch_size=size, stop=tw.Epochs(epochs))


def by_hand(loss: Callable, examples: int, size: int, shuffled: bool) -> Callable:
    """A compiled loop over all epochs."""
    optimizer = optax.adamw(schedule(steps(examples, size)), weight_decay=DECAY)
    full = examples // size

    def step(carry, batch):
        x, state = carry
        value, grad = jax.value_and_grad(loss)(x, batch)
        update, state = optimizer.update(grad, state, x)
        return (optax.apply_updates(x, update), state), value

    @jax.jit
    def train(x, key, batches, orders):
        def take(rows):
            return jax.tree.map(lambda a: a[rows], batches)

        def epoch(carry, inputs):
            number, order = inputs
            if shuffled:
                order = jax.random.permutation(jax.random.fold_in(key, number), examples)
            carry, values = jax.lax.scan(
                lambda carry, rows: step(carry, take(rows)), carry, order[: full * size].reshape(full, size)
            )
            carry, last = step(carry, take(order[full * size :]))
            return carry, (values, last)

        (x, _), values = jax.lax.scan(epoch, (x, optimizer.init(x)), (jnp.arange(len(orders)), orders))
        return x, values

    return train


def orders(examples: int, epochs: int) -> np.ndarray:
    """An order an epoch, by NumPy."""
    return np.stack([np.random.default_rng(e).permutation(examples) for e in range(epochs)]).astype(np.int32)


def by_torch(x0: Any, batches: Any) -> Callable[[], float] | None:
    """The usual loop in PyTorch, None where it is not installed; returns the last epoch's mean loss."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)  # more only get in each other's way on layers of this size
    inputs, labels = torch.tensor(batches[0]), torch.tensor(batches[1], dtype=torch.long)
    per_epoch = steps(len(inputs), SIZE)
    rate = [float(schedule(per_epoch)(t)) / PEAK for t in range(EPOCHS * per_epoch + 1)]

    def train():
        hidden = torch.nn.Linear(*x0["hidden"]["w"].shape)
        output = torch.nn.Linear(*x0["output"]["w"].shape)
        with torch.no_grad():
            for layer, part in ((hidden, x0["hidden"]), (output, x0["output"])):
                layer.weight.copy_(torch.tensor(part["w"].T))
                layer.bias.copy_(torch.tensor(part["b"]))
        model = torch.nn.Sequential(hidden, torch.nn.Tanh(), output)
        optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=DECAY, fused=True)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: rate[t])
        for _ in range(EPOCHS):
            order, total = torch.randperm(len(inputs)), 0.0
            for begin in range(0, len(inputs), SIZE):
                rows = order[begin : begin + SIZE]
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows])
                loss.backward()
                optimizer.step()
                scheduler.step()
                total += loss.item()
        return total / per_epoch

    return train


def compare_digits(rounds: int) -> None:
    """The first two comparisons."""
    batches, x0 = data(), start(64, 0)
    examples = len(batches[0])
    on_device = jax.tree.map(jnp.asarray, batches)
    calls: dict[str, Callable] = {"thalweg": lambda: ours(risk, batches, x0, SIZE)}
    for name, shuffled in (("by hand, shuffled in the program", True), ("by hand, orders by NumPy", False)):

        def call(train=by_hand(risk, examples, SIZE, shuffled)):
            return jax.block_until_ready(train(x0, jax.random.key(0), on_device, orders(examples, EPOCHS)))

        calls[name] = call
    torch = by_torch(x0, batches)
    calls |= {"PyTorch, fused AdamW": torch} if torch else {}
    finals = {name: call() for name, call in calls.items()}
    print("\nmean loss of the last epoch:")
    print(f"  thalweg {np.mean(finals['thalweg'].trace.value[-steps(examples, SIZE) :]):.4f}")
    for name in list(calls)[1:3]:
        print(f"  {name} {float(np.mean(finals[name][1][0][-1])):.4f}")
    if torch:
        print(f"  PyTorch {finals['PyTorch, fused AdamW']:.4f}")
    seconds = interleaved(calls, rounds)
    mine = seconds["thalweg"]
    rows = [Row("thalweg", mine)]
    rows += [
        Row(name, seconds[name], f"thalweg / this: {verdict(ratio(mine, seconds[name]), 1.10)}")
        for name in list(calls)[1:3]
    ]
    if torch:
        name = "PyTorch, fused AdamW"
        remark = f"this / thalweg: {verdict(ratio(seconds[name], mine), 2, at_least=True)}"
        rows.append(Row(name, seconds[name], remark))
    show(f"digits, batch {SIZE}, {EPOCHS} epochs, whole run", rows)


def compare_streams(rounds: int) -> None:
    """The third: lists of batches against data in memory, and the time in which the device had nothing to do."""
    batches, x0 = data(), start(64, 0)
    rate = schedule(steps(len(batches[0]), SIZE))
    method = tw.AdamW(rate, weight_decay=DECAY)

    def passes(epoch):
        order = np.random.default_rng(epoch).permutation(len(batches[0]))
        for begin in range(0, len(order), SIZE):
            rows = order[begin : begin + SIZE]
            yield tuple(a[rows] for a in batches)

    def streamed():
        problem = tw.Problem(risk, tw.Stream(passes, steps(len(batches[0]), SIZE)))
        return tw.minimize(problem, x0, method, stop=tw.Epochs(EPOCHS))

    calls = {"in memory": lambda: ours(risk, batches, x0, SIZE), "streamed": streamed}
    for call in calls.values():
        call()
    seconds = interleaved(calls, rounds)
    rows = [Row("in memory", seconds["in memory"]), Row("streamed", seconds["streamed"])]
    rows[1] = rows[1]._replace(remark=f"{ratio(*reversed(list(seconds.values()))):.2f} times in memory")
    show("digits from a stream", rows)


def network(key: Any) -> Any:
    """Two convolutions of 3 x 3 and one dense layer."""

    def normal(i, *shape):
        fan_in = float(np.prod(shape[:-1]))
        return jax.random.normal(jax.random.fold_in(key, i), shape, jnp.float32) * np.float32((2 / fan_in) ** 0.5)

    return {"first": normal(0, 3, 3, 1, 16), "second": normal(1, 3, 3, 16, 32), "dense": normal(2, 7 * 7 * 32, 10)}


def convolutional(params: Any, batch: Any) -> Any:
    """Cross-entropy on images of 28 x 28."""
    images, labels = batch
    x = images[..., None]
    for name in ("first", "second"):
        x = jax.lax.conv_general_dilated(x, params[name], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x)
    return cross_entropy(x.reshape(x.shape[0], -1) @ params["dense"], labels)


def compare_convolutions(rounds: int) -> None:
    """The fourth."""
    rng = np.random.default_rng(0)
    size, examples, epochs = 128, 2560, 3
    batches = (rng.normal(size=(examples, 28, 28)).astype(np.float32), rng.integers(0, 10, examples).astype(np.int32))
    x0 = network(jax.random.key(0))
    optimizer = optax.adamw(schedule(examples // size), weight_decay=DECAY)

    @jax.jit
    def step(x, state, batch):
        value, grad = jax.value_and_grad(convolutional)(x, batch)
        update, state = optimizer.update(grad, state, x)
        return optax.apply_updates(x, update), state, value

    def hand():
        x, state, values = x0, optimizer.init(x0), []
        for epoch in range(epochs):
            order = np.random.default_rng(epoch).permutation(examples)
            for begin in range(0, examples, size):
                rows = order[begin : begin + size]
                x, state, value = step(x, state, tuple(a[rows] for a in batches))
                values.append(float(value))
        return jax.block_until_ready(x)

    calls = {"thalweg": lambda: ours(convolutional, batches, x0, size, epochs), "Python loop around Optax": hand}
    for call in calls.values():
        call()
    seconds = interleaved(calls, rounds)
    mine, theirs = seconds.values()
    rows = [Row("thalweg", mine), Row("Python loop around Optax", theirs, verdict(ratio(mine, theirs), 1.05))]
    show(f"two convolutions, batch {size}, {epochs * examples // size} steps", rows)


def first_call(contender: str) -> dict[str, float]:
    """Wall and processor seconds of the first run in this process."""
    batches, x0 = data(), start(64, 0)
    examples = len(batches[0])
    jax.block_until_ready(jnp.zeros(3) + 1)
    wall, work = time.perf_counter(), time.process_time()
    if contender == "thalweg":
        ours(risk, batches, x0, SIZE)
    else:
        train = by_hand(risk, examples, SIZE, shuffled=contender == "shuffled")
        jax.block_until_ready(train(x0, jax.random.key(0), batches, orders(examples, EPOCHS)))
    return {"wall": time.perf_counter() - wall, "work": time.process_time() - work}


def compare_first_calls(rounds: int) -> None:
    """The fifth."""
    names = {"thalweg": "thalweg", "by hand, shuffled": "shuffled", "by hand, orders by NumPy": "orders"}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, contender in names.items():
            found[name].append(fresh(__file__, "--first-call", contender))
    for kind, title in (("wall", "first call, wall time"), ("work", "first call, processor time of all threads")):
        seconds = {name: [run[kind] for run in runs] for name, runs in found.items()}
        rows = [Row("thalweg", seconds["thalweg"])]
        rows += [
            Row(name, times, f"thalweg / this: {verdict(ratio(seconds['thalweg'], times), 1.2)}")
            for name, times in list(seconds.items())[1:]
        ]
        show(title, rows, "s", 1)


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--first-call", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first_call:
        print(json.dumps(first_call(options.first_call)))
        return
    compare_digits(options.rounds)
    compare_streams(options.rounds)
    compare_convolutions(max(3, options.rounds // 3))
    compare_first_calls(max(3, options.rounds // 5))
    machine()


if __name__ == "__main__":
    main()
