"""Writes `tests/schedules/torch_rates.json`: the rates of torch's schedulers over thirty steps.

Run by hand where torch is installed: `python tests/schedules/make_torch_rates.py`.
"""

import json
import warnings
from pathlib import Path

import torch
from torch.optim import lr_scheduler as torch_schedules

STEPS = 30
CASES = {
    "polynomial": lambda o: torch_schedules.PolynomialLR(o, total_iters=9, power=1.7),
    "restarts": lambda o: torch_schedules.CosineAnnealingWarmRestarts(o, T_0=7, eta_min=0.07),
    "restarts that grow": lambda o: torch_schedules.CosineAnnealingWarmRestarts(o, T_0=4, T_mult=2),
    "triangular": lambda o: torch_schedules.CyclicLR(o, 0.1, 0.7, step_size_up=4, cycle_momentum=False),
    "triangular2": lambda o: torch_schedules.CyclicLR(
        o, 0.1, 0.7, step_size_up=4, mode="triangular2", cycle_momentum=False
    ),
    "exp_range": lambda o: torch_schedules.CyclicLR(
        o, 0.1, 0.7, step_size_up=4, mode="exp_range", gamma=0.9, cycle_momentum=False
    ),
    "one cycle": lambda o: torch_schedules.OneCycleLR(o, 0.7, total_steps=31, pct_start=0.3, base_momentum=0.8),
    "one cycle, linear": lambda o: torch_schedules.OneCycleLR(
        o, 0.7, total_steps=31, pct_start=0.4, anneal_strategy="linear", div_factor=5, final_div_factor=20
    ),
    "milestones": lambda o: torch_schedules.MultiStepLR(o, [3, 8, 20], gamma=0.3),
    "sequential": lambda o: torch_schedules.SequentialLR(
        o,
        [torch_schedules.LinearLR(o, 1 / 5, total_iters=4), torch_schedules.CosineAnnealingLR(o, T_max=8)],
        [4],
    ),
}


def run(make) -> dict[str, list[float]]:
    """The rate at every step, and the momentum."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.7, momentum=0.9)
    schedule, group, rates, momenta = make(optimizer), optimizer.param_groups[0], [], []
    for _ in range(STEPS):
        rates.append(float(group["lr"]))
        momenta.append(float(group["momentum"]))
        optimizer.step()
        schedule.step()
    return {"rates": rates, "momenta": momenta}


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # SequentialLR calls its parts with an argument that torch itself has deprecated
    out = Path(__file__).with_name("torch_rates.json")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(run(make))}" for name, make in CASES.items())
    out.write_text("{\n" + lines + "\n}\n")
    print(f"{len(CASES)} schedules of torch {torch.__version__}")
