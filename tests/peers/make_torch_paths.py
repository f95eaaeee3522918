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
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.3, initial_accumulator_value=0.2, eps=1e-3),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.02, alpha=0.8, eps=1e-3),
    "rmsprop, centered": lambda p: torch.optim.RMSprop(p, 0.02, alpha=0.8, eps=1e-3, centered=True),
    "rmsprop, momentum": lambda p: torch.optim.RMSprop(p, 0.02, alpha=0.8, eps=1e-3, momentum=0.7),
    "adadelta": lambda p: torch.optim.Adadelta(p, 0.9, rho=0.8, eps=1e-3),
    # Its mu comes from 1 - 0.96^(t * momentum_decay) / 2: constant only where that is 1.
    "nadam": lambda p: torch.optim.NAdam(p, 0.05, betas=(0.8, 0.9), eps=1e-6, momentum_decay=1e6),
    # Its epsilon is added before the correction: the same only where there is none.
    "radam": lambda p: torch.optim.RAdam(p, 0.05, betas=(0.8, 0.9), eps=0.0),
    "amsgrad": lambda p: torch.optim.Adam(p, 0.05, betas=(0.8, 0.9), eps=1e-6, amsgrad=True),
    "adan": lambda p: more.Adan(p, 0.05, betas=(0.8, 0.7, 0.9), weight_decay=0.1, eps=1e-6),
    # It counts its first gradient as step 1, the paper as step 0.
    "adopt": lambda p: more.ADOPT(p, 0.05, betas=(0.8, 0.9), clip_lambda=lambda step: (step - 1) ** 0.25),
    "ademamix": lambda p: more.AdEMAMix(p, 0.05, (0.8, 0.9, 0.99), 0.1, True, alpha=3.0, t_alpha_beta3=6, eps=1e-6),
    "lion": lambda p: more.Lion(p, 0.05, betas=(0.8, 0.9), weight_decay=0.1),
    "sign-sgd": lambda p: more.SignSGD(p, 0.05, momentum=0.0),
    "signum": lambda p: more.SignSGD(p, 0.05, momentum=0.8),
    "adafactor": lambda p: torch.optim.Adafactor(p, 0.1),
    "adam-mini": lambda p: more.AdamMini(
        Named(p), 0.05, (0.8, 0.9), weight_decay=0.1, num_embeds=3, num_heads=3, eps=1e-6
    ),
    "lars": lambda p: more.LARS(p, 0.05, 0.1, 0.8, trust_coefficient=0.5),
    "lookahead": lambda p: more.Lookahead(torch.optim.SGD(p, 0.05, momentum=0.9), 3, 0.6),
    "mars": lambda p: more.MARS(p, 0.05, (0.8, 0.9), 0.1, optimize_1d=True, weight_decay=0.1, eps=0.0),
    "mars, cautious": lambda p: more.MARS(p, 0.05, (0.8, 0.9), 0.1, optimize_1d=True, cautious=True, eps=0.0),
    "prodigy": lambda p: more.Prodigy(p, 0.9, (0.8, 0.9), d0=0.01, weight_decay=0.1, bias_correction=True, eps=1e-6),
    "prodigy, safeguard": lambda p: more.Prodigy(
        p, 0.9, (0.8, 0.9), 0.7, d0=0.01, d_coef=1.5, bias_correction=True, safeguard_warmup=True
    ),
    "dadapt-adam": lambda p: more.DAdaptAdam(
        p, 0.9, (0.8, 0.9), 0.01, weight_decay=0.1, weight_decouple=True, bias_correction=True, eps=1e-6
    ),
    "asam": lambda p: more.SAM(p, torch.optim.SGD, rho=0.3, adaptive=True, lr=0.05),
    "shampoo": lambda p: Each(more.Shampoo(p[:1], 0.1, matrix_eps=1e-14), torch.optim.SGD(p[1:], 0.05)),
    "soap": lambda p: more.SOAP(p, 0.05, betas=(0.8, 0.9), weight_decay=0.0, precondition_frequency=100),
    "soap, refreshed": lambda p: more.SOAP(p, 0.05, betas=(0.8, 0.9), weight_decay=0.0, precondition_frequency=2),
}


class Named:
    """The matrix under a name by which pytorch_optimizer takes each of its rows for a block, and the vector."""

    def __init__(self, params):
        self.params = params

    def named_parameters(self):
        """As a model has them."""
        return zip(("wq.weight", "bias"), self.params, strict=True)


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
    torch.set_default_dtype(torch.float64)  # of what an optimizer accumulates in scalars, too
    torch.set_default_dtype(torch.float64)  # pytorch_optimizer keeps sums over all parameters in the default dtype
    out = Path(__file__).with_name("torch_paths.json")
    found = {name: run(make) for name, make in CASES.items()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(path, allow_nan=False)}" for name, path in found.items())
    out.write_text("{\n" + lines + "\n}\n")
    print(f"{len(found)} paths by torch {torch.__version__}, pytorch_optimizer: {more.__file__ is not None}")
