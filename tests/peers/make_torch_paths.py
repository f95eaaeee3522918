"""Writes `tests/peers/torch_paths.json`: ten steps of torch's optimizers on a small matrix and a vector, in float64.

Run by hand where torch and pytorch_optimizer are installed: `python tests/peers/make_torch_paths.py`. The tests compare
our rules with the numbers, so that they need neither.
"""

import json
from pathlib import Path

import pytorch_optimizer as more
import torch

STEPS = 10


class Each:
    """An optimizer for the matrix and another one for the vector."""

    def __init__(self, *optimizers):
        self.optimizers = optimizers

    def zero_grad(self):
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self, closure):
        for optimizer in self.optimizers:
            optimizer.step()


CASES = {
    "sgd": lambda p: torch.optim.SGD(p, 0.05),
    "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
    "momentum, nesterov": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 0.05, betas=(0.8, 0.9), eps=1e-6),
    "adamw": lambda p: torch.optim.AdamW(p, 0.05, betas=(0.8, 0.9), weight_decay=0.1),
    "asam": lambda p: more.SAM(p, torch.optim.SGD, rho=0.3, adaptive=True, lr=0.05),
    "shampoo": lambda p: Each(more.Shampoo(p[:1], 0.1, matrix_eps=1e-14), torch.optim.SGD(p[1:], 0.05)),
    "soap": lambda p: more.SOAP(p, 0.05, betas=(0.8, 0.9), weight_decay=0.0, precondition_frequency=100),
    "soap, refreshed": lambda p: more.SOAP(p, 0.05, betas=(0.8, 0.9), weight_decay=0.0, precondition_frequency=2),
}


def run(make) -> list:
    """The matrix and the vector after every step."""
    w = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([0.3, -0.6, 0.9], dtype=torch.float64, requires_grad=True)
    optimizer, path = make([w, b]), []

    def closure():
        optimizer.zero_grad()
        value = loss(w, b)
        value.backward()
        return value

    for _ in range(STEPS):
        closure()
        optimizer.step(closure)
        path.append([w.detach().tolist(), b.detach().tolist()])
    return path


def loss(w, b):
    """A quartic, coupled; `tests/peers/test_torch.py` has the same."""
    r = torch.tensor([1.0, -2.0], dtype=torch.float64) @ w + b
    return (r**4).sum() / 100 + (w**2).sum() / 2 + ((b - 1) ** 2).sum() / 2


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = Path(__file__).with_name("torch_paths.json")
    found = {name: run(make) for name, make in CASES.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(path, allow_nan=False)}" for name, path in found.items())
    out.write_text("{\n" + lines + "\n}\n")
    print(f"{len(found)} paths by torch {torch.__version__}, pytorch_optimizer: {more.__file__ is not None}")
